"""Every experiment file composes, and its method is sound, as its own first lines say to run it."""

import re
from pathlib import Path

import pytest
from command_lines import ROOT, commands_in, compose

from uniapl_cli.cli.session import packaged, read_config
from uniapl_cli.commands.method import plan

FILES = sorted((ROOT / "experiments").rglob("*.yaml"))
SCRIPTS = sorted((ROOT / "experiments").rglob("*.sh"))
# Files that others include; no command is run on them alone.
FRAGMENTS = {"tiny/anchored.yaml", "tiny/eval.yaml", "tiny/recipe/common.yaml", "tiny/world.yaml"}
NEEDS = {"train": ["run", "model", "training", "terms"], "eval": ["eval.data"]}


def name(path: Path) -> str:
    return path.relative_to(ROOT / "experiments").as_posix()


def told(path: Path) -> list[str]:
    """The commands that the file's comments say to type, what they leave open filled in."""
    comments = re.findall(r"^#.*$", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"=\.\.\.", "=x", command) for command in commands_in("\n".join(comments))]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_file_composes_as_it_says_unless_it_is_a_fragment(path):
    assert bool(told(path)) is (name(path) not in FRAGMENTS)
    for command in told(path):
        assert f"--config experiments/{name(path)}" in command
        config = compose(command)
        config.require(*NEEDS.get(command.split()[1], ["run"]))
        if config.terms:
            plan(config)


def test_a_file_of_several_methods_goes_under_each():
    """What only some of them use is no mistake of the others'."""
    for method in packaged():
        plan(read_config(ROOT / "experiments" / "tiny" / "unified.yaml", [], method))


def test_each_packaged_method_reads_as_its_equation():
    for path in packaged().values():
        assert path.read_text("utf-8").startswith("# g = ")


# The lines `NAME METHOD FILE FORMER` of the scripts that make tables.
LISTED = {
    path.name: re.findall(r"^(\S+) +(\S+) +(\S+\.yaml) +(\S+)$", text, re.MULTILINE)
    for path in SCRIPTS
    if "LIST" in (text := path.read_text("utf-8")) and path.name != "rows.sh"
}


@pytest.mark.parametrize("script", LISTED)
def test_each_row_of_a_table_is_made_as_its_file_says(script):
    rows = LISTED[script]
    assert rows
    for row, method, file, former in rows:
        path = ROOT / "experiments" / "tiny" / file
        assert [command.split()[2] for command in told(path)] == [method]
        config = read_config(path, [], method)
        assert config.run.dir == f"work/tiny/{row}"
        assert config.eval.model == config.run.dir
        assert config.eval.out == f"work/tiny/eval/{row}"
        assert config.model.path == ("tiny:base" if former == "-" else f"work/tiny/{former}")
        assert former in ("-", *(name for name, *_ in rows))


def test_scripts_stop_at_the_first_error():
    for path in SCRIPTS:
        text = path.read_text("utf-8")
        assert text.startswith("#!/usr/bin/env bash\n"), path
        assert "set -euo pipefail" in text, path
        assert path.stat().st_mode & 0o111, path
