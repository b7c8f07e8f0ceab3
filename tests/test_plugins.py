"""A package or a file of others adds a definition by being loaded; a config only chooses it."""

import subprocess
import sys
from pathlib import Path

import pytest

from uniapl_cli.errors import UniAPLError
from uniapl_cli.plugins import PREFIX, load_plugins
from uniapl_cli.verifiers import constraint, judge, verifiers

VERIFIER = """
from uniapl_cli.verifiers import verifiers

@verifiers.register("mine:exclamations")
def exclamations(response: str, *, most: int = 3) -> bool:
    return response.count("!") <= most
"""


@pytest.fixture(autouse=True)
def forget():
    """Forget what a test has loaded and registered."""
    modules, entries = set(sys.modules), dict(verifiers._entries)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith(PREFIX) or name == "my_rewards":
            del sys.modules[name]
    verifiers._entries.clear()
    verifiers._entries.update(entries)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(code): make a package with this module and an entry point to it."""

    def make(code):
        (tmp_path / "my_rewards.py").write_text(code)
        info = tmp_path / "my_rewards-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-rewards\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[uniapl]\nmine = my_rewards\n")
        monkeypatch.syspath_prepend(tmp_path)

    return make


@pytest.fixture
def write(tmp_path):
    """write(code, name): the path of a file with this code."""

    def make(code, name="my_verifiers.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
        return path

    return make


def exclaims(response):
    return not judge(response, [constraint("mine:exclamations", {"most": 1})]).passed


def test_an_installed_package_registers_a_verifier(install):
    assert load_plugins() == []
    install(VERIFIER)
    assert load_plugins() == ["mine"]
    assert exclaims("No!!") and not exclaims("Yes!")
    assert load_plugins() == ["mine"], "loading twice registers once"


@pytest.mark.parametrize("code", ["1 / 0", "import nope"])
def test_a_package_that_fails_is_named(install, code):
    install(code)
    with pytest.raises(UniAPLError) as caught:
        load_plugins()
    assert caught.value.got == "my-rewards"


def test_a_file_registers_a_verifier(write, monkeypatch):
    path = write(VERIFIER)
    assert load_plugins([path]) == [str(path)]
    assert exclaims("No!!") and not exclaims("Yes!")
    monkeypatch.chdir(path.parent)
    assert load_plugins([path, Path(path.name)]) == [str(path), path.name], "it registers once"


def test_a_files_own_classes_can_be_sent_to_another_process(write):
    """Which loads the same file first."""
    path = write("class Own: pass")
    code = (
        "import pickle, sys; from pathlib import Path; from uniapl_cli.plugins import load_plugins;"
        "load_plugins([Path(sys.argv[1])]); own = sys.modules['uniapl_plugin_my_verifiers'].Own;"
        "assert pickle.loads(pickle.dumps(own)) is own"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


REGISTERED_TWICE = VERIFIER.replace("mine:exclamations", "punctuation:no_comma")
BROKEN = {
    "a syntax error": ("x = 1\nx = = 2\n", 2),
    "an exception": ("x = 1\n\n\nx / 0\n", 4),
    "an exception further down": ("import json\n\njson.loads('{')\n", 3),
    "a missing package": ("import nope\n", 1),
    "a name that is taken": (REGISTERED_TWICE, 4),
    "an exit": ("import sys\nsys.exit()\n", 2),
}


@pytest.mark.parametrize(("code", "line"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_fails_is_named_with_its_line(write, code, line):
    path = write(code)
    for _ in range(2):  # it is not taken for loaded after the first time
        with pytest.raises(UniAPLError) as caught:
            load_plugins([path])
        assert (caught.value.file, caught.value.line) == (str(path), line)
        assert "\n" not in str(caught.value)


def test_what_is_no_python_file_is_refused(tmp_path, write):
    for path in (tmp_path / "absent.py", tmp_path, write("", "text.txt")):
        with pytest.raises(UniAPLError) as caught:
            load_plugins([path])
        assert caught.value.where == str(path)


def test_two_files_of_one_name_are_refused(write):
    first, second = write("", "a/mine.py"), write("", "b/mine.py")
    with pytest.raises(UniAPLError) as caught:
        load_plugins([first, second])
    assert caught.value.where == str(second) and str(first) in caught.value.problem
