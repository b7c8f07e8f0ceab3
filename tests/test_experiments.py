"""Every experiment file composes, and its method is sound, as its own first lines say to run it."""

import re
from pathlib import Path

import pytest
from command_lines import ROOT, commands_in, compose

from uniapl_cli.build.method import check_method
from uniapl_cli.cli.session import METHODS, read_config
from uniapl_cli.config.load import require

FILES = sorted((ROOT / "experiments").rglob("*.yaml"))
SCRIPTS = sorted((ROOT / "experiments").rglob("*.sh"))
PACKAGED = sorted(METHODS.glob("*.yaml"))
# Files that others include; no command is run on them alone.
FRAGMENTS = {"tiny/anchored.yaml", "tiny/eval.yaml", "tiny/recipe/common.yaml", "tiny/world.yaml"}
NEEDS = {"train": ["run", "model", "training", "terms"], "eval": ["eval.data"]}


def name(path: Path) -> str:
    return path.relative_to(ROOT / "experiments").as_posix()


def told(path: Path) -> list[str]:
    """The commands that the file's comments say to type, what they leave open filled in."""
    comments = re.findall(r"^#.*$", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"=\.\.\.", "=x", command) for command in commands_in("\n".join(comments))]


def test_all_of_them_are_tried():
    assert len(FILES) == 31
    assert len(PACKAGED) == 14


@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_file_says_how_to_run_it_unless_it_is_a_fragment(path):
    assert bool(told(path)) is (name(path) not in FRAGMENTS)
    for command in told(path):
        assert f"--config experiments/{name(path)}" in command


@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_composes_with_its_method(path):
    for command in told(path):
        config = compose(command)
        require(config, NEEDS.get(command.split()[1], ["run"]))
        if config.terms:
            check_method(config)
    read_config(path, ["method=none"])


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=name)
@pytest.mark.parametrize("method", ["sft", "grpo", "asft", "agrpo", "unified", "chord", "achord"])
def test_every_file_goes_under_every_method(path, method):
    # `mu` is CHORD's own schedule: a number of steps without the rest is no shape.
    if name(path) not in ("tiny/chord.yaml", "tiny/achord.yaml") or method in ("chord", "achord"):
        check_method(read_config(path, [], method))


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: path.stem)
def test_each_packaged_method_is_sound(path):
    config = read_config(None, ["training.steps=10"], str(path))
    weights = check_method(config)["weights at step 1"]
    assert weights.keys() == config.terms.keys() != set()


def test_each_packaged_method_reads_as_its_equation():
    for path in PACKAGED:
        assert path.read_text("utf-8").startswith("# g = ")


# The lines `NAME METHOD FILE FORMER` of the scripts that make tables.
LISTED = {
    path.name: re.findall(r"^(\S+) +(\S+) +(\S+\.yaml) +(\S+)$", text, re.MULTILINE)
    for path in SCRIPTS
    if "LIST" in (text := path.read_text("utf-8")) and path.name != "rows.sh"
}


def test_the_tables_have_their_rows():
    names = {script: [row[0] for row in rows] for script, rows in LISTED.items()}
    staged = ["sft-grpo", "asft-agrpo"]
    assert sorted(names["table.sh"]) == sorted(
        [*staged, "sft", "grpo", "asft", "agrpo", "unified", "chord", "achord"]
    )
    assert len(names["table4.sh"]) == 8


@pytest.mark.parametrize("script", LISTED)
def test_each_row_of_a_table_is_made_as_its_file_says(script):
    rows = LISTED[script]
    for row, method, file, former in rows:
        path = ROOT / "experiments" / "tiny" / file
        assert [command.split()[2] for command in told(path)] == [method]
        config = read_config(path, [], method)
        assert config.run.dir == f"work/tiny/{row}"
        assert config.eval.model == config.run.dir
        assert config.eval.out == f"work/tiny/eval/{row}"
        assert config.model.path == ("tiny:base" if former == "-" else f"work/tiny/{former}")
        assert former in ("-", *(name for name, *_ in rows))


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_stop_at_the_first_error(path):
    text = path.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert path.stat().st_mode & 0o111
