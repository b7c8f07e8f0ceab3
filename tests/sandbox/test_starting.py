"""What a sandbox finds out when it starts, and what it leaves when its process is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ending import children, end

from uniapl_cli.errors import ConfigError
from uniapl_cli.sandbox import Call, Limits, Outcome, Sandbox, SandboxError, package_folders
from uniapl_cli.sandbox.folder import PREFIX, Folder, sweep
from uniapl_cli.sandbox.pool import Capabilities

NLTK = Call("import nltk\ndef evaluate(): return nltk.wordpunct_tokenize('a.') == ['a', '.']")


def test_limits_below_what_honest_code_takes_are_refused():
    with pytest.raises(SandboxError) as caught:
        Sandbox(Limits().model_copy(update={"memory_mb": 12}), workers=1, require=())
    assert caught.value.got


def test_no_workers_are_refused():
    with pytest.raises(SandboxError) as caught:
        Sandbox(workers=0)
    assert (caught.value.key, caught.value.got) == ("sandbox.workers", 0)


def test_a_library_that_the_worker_cannot_read_is_named(monkeypatch):
    missing = Outcome(None, "ModuleNotFoundError: No module named 'colorsys'", 0.0)
    user = {"user": "on: nobody, who cannot read Python's library"}
    monkeypatch.setattr(Sandbox, "run", lambda self, calls: [missing])
    monkeypatch.setattr(Sandbox, "capabilities", Capabilities(frozenset(), user))
    with pytest.raises(SandboxError) as caught:
        Sandbox(workers=1, require=())
    assert caught.value.got == sys.base_prefix


@pytest.mark.parametrize("mechanisms", [(), ("landlock", "seccomp"), ("namespaces", "seccomp")])
def test_modules_that_are_not_loaded_yet_can_be_imported_by_every_mechanism(mechanisms):
    with Sandbox(workers=1, require=(), mechanisms=mechanisms) as box:
        call = Call("import statistics, ctypes\ndef evaluate(): return statistics.mean([1]) == 1")
        assert box.run([call])[0].value is True


@pytest.mark.slow
def test_packages_that_a_user_allows_are_imported_before_the_calls():
    with Sandbox(workers=1, require=()) as box:
        assert box.run([NLTK])[0].error == "ModuleNotFoundError: No module named 'nltk'"
    folders = package_folders(["nltk", "numpy"])
    with Sandbox(workers=1, packages=folders, preload=["nltk", "numpy"], require=()) as box:
        assert [outcome.value for outcome in box.run([NLTK] * 2)] == [True, True]
        sums = Call(
            "import numpy\ndef evaluate(): return bool(numpy.ones((9, 9)).dot(1).sum() == 81)"
        )
        assert box.run([sums])[0].value is True


def test_a_package_that_cannot_be_imported_is_named(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(SandboxError) as caught:
        Sandbox(workers=1, packages=[tmp_path], preload=["broken"], require=())
    assert (caught.value.key, caught.value.got) == ("sandbox.packages", "broken")


@pytest.mark.parametrize("name", ["no_such_package", "os/../x", "nltk.data", ""])
def test_a_package_that_is_not_installed_is_named(name):
    with pytest.raises(ConfigError) as caught:
        package_folders([name])
    assert caught.value.got == name


def test_a_folder_is_swept_when_its_owner_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"{PREFIX}left").mkdir(mode=0o555)
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "others")
    (tmp_path / "others").mkdir()
    own, other = Folder(), Folder()
    assert set(tmp_path.iterdir()) == {
        own.path,
        other.path,
        tmp_path / "others",
        tmp_path / f"{PREFIX}link",
    }
    other.remove()
    other.remove()
    sweep(tmp_path)
    assert own.path.exists() and not other.path.exists()
    own.remove()


PROGRAM = """
import sys
from uniapl_cli.sandbox import Call, Sandbox
box = Sandbox(workers=2, require=(), mechanisms=sys.argv[1:])
print(box._folder.path, flush=True)
box.run([Call("import time\\ndef evaluate(): time.sleep(9)")] * 2)
"""


@pytest.mark.parametrize("mechanisms", [("namespaces",), ("landlock", "seccomp"), ()])
def test_a_killed_process_leaves_no_worker_and_no_call(mechanisms, tmp_path):
    command = [sys.executable, "-c", PROGRAM, *mechanisms]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=-1, text=True, env=env) as process:
        folder = Path(process.stdout.readline().strip())
        deadline = time.monotonic() + 5
        while len(started := children(process.pid)) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(started) >= 4  # two workers, and a call of each
        process.send_signal(signal.SIGKILL)
    assert end(started)
    assert folder.exists()
    sweep(tmp_path)
    assert not folder.exists()


def test_a_worker_that_is_killed_takes_its_call_along():
    with Sandbox(Limits(seconds=20), workers=1, require=(), mechanisms=()) as box:
        box._workers[0].send(Call("import time\ndef evaluate(): time.sleep(9)"))
        deadline = time.monotonic() + 5
        while not (calls := children(box.pids[0])) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(box.pids[0], signal.SIGKILL)
        assert calls and end(calls)


def test_what_math_verify_builds_at_its_first_use_is_there_before_a_call():
    pytest.importorskip("math_verify")
    source = (
        "def evaluate():\n    import math_verify.parser as p\n"
        "    return p.lazy_latex_regex.cache_info().currsize > 0"
    )
    folders = package_folders(["math_verify"])
    with Sandbox(workers=1, packages=folders, preload=["math_verify"], require=()) as box:
        assert box.run([Call(source)])[0].value is True
