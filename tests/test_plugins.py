"""A package of others adds a score by being installed; a config only chooses it."""

import sys

import pytest

from uniapl_cli.errors import UniAPLError
from uniapl_cli.plugins import load_plugins
from uniapl_cli.training.scores import scores

SCORE = """
from uniapl_cli.training.scores import scores

@scores.register("exclamations")
def exclamations(rollouts, *, most: int = 3):
    return [min(float(r.completion.text.count("!")), most) for r in rollouts]
"""


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

    yield make
    sys.modules.pop("my_rewards", None)
    scores._entries.pop("exclamations", None)


def test_an_installed_package_registers_a_score(install):
    assert load_plugins() == []
    install(SCORE)
    assert load_plugins() == ["mine"]
    assert scores["exclamations"].describe() == "most = 3"
    assert load_plugins() == ["mine"], "loading twice registers once"


@pytest.mark.parametrize(("code", "why"), [("1 / 0", "division by zero"), ("import nope", "nope")])
def test_a_package_that_fails_is_named(install, code, why):
    install(code)
    with pytest.raises(UniAPLError, match=f"plug-in 'mine' of package 'my-rewards' .*{why}"):
        load_plugins()
