"""Results go to stdout, talk to stderr; --json is for machines and --dry-run for the careful."""

import json
import subprocess
import sys

import pytest
from command_lines import ROOT, compose, read, verbs
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.tiny.assets import PREFIX

JSON = {
    "train": "train sft --json",
    "plan": "plan sft model.path=tiny:base training.steps=1 data.max_prompt_tokens=32 --json",
    "eval": "eval --json",
    "analyse lengths": "analyse lengths --json",
    "analyse logprobs": "analyse logprobs --json",
    "analyse agreement": "analyse agreement --json",
    "teacher-gen": "teacher-gen --json",
    "filter-gt": "filter-gt --json",
    "score": "score --json",
    "serve": "serve --json",
    "pretrain-polar": "pretrain-polar --json",
    "report": "report ev/eval.json --json",
    "list": "list --json",
    "data inspect": "data inspect demo.jsonl model.path=tiny:base --json",
    "data compose": "data compose --json",
    "data fetch": "data fetch --json",
    "config check": "config check -m unified discriminator.path=tiny:polar --json",
    "config keys": "config keys --json",
    "tiny truth": "tiny truth demo.jsonl truth.jsonl --json",
    "tiny world": "tiny world world --train 2 --heldout 2 --practice 1500 --json",
}
# tiny pack needs all that the recipe makes, and demo makes it all: test_recipe.py, test_demo.py.
# compare needs benchmarks: test_compare.py. status, push and track need a run: test_status.py,
# test_push.py, test_track.py. Figures and pages are made of what others wrote: test_figure_verb.py,
# tests/pages.
ELSEWHERE = {"tiny pack", "demo", "compare", "status", "push", "track", "page"}
ELSEWHERE |= {name for name in verbs() if name.startswith("figure ")}

# Without rows of the user's: `data compose` has its own, and test_compose.py tries others.
NOT_OF_ROWS = {"data fetch", "push", "serve", "data compose"}


def having(option: str) -> set[str]:
    return {
        name
        for name, command in verbs().items()
        if any(option in parameter.opts for parameter in command.params)
    }


def test_every_verb_with_json_is_tried():
    assert having("--json") == JSON.keys() | ELSEWHERE
    careful = {"train", "eval", "score", "serve", "teacher-gen", "filter-gt", "pretrain-polar"}
    careful |= {name for name in verbs() if name.startswith("analyse ")}
    assert having("--dry-run") == careful | {"data compose", "data fetch", "push"}
    assert having("--debug") == verbs().keys()


@pytest.mark.parametrize("verb", JSON)
def test_json_is_all_that_stdout_holds(uniapl, verb):
    if verb == "report":
        assert uniapl("eval").exit_code == 0
    result = uniapl(JSON[verb])
    assert result.exit_code == 0, result.stderr
    output = json.loads(result.stdout, parse_constant=pytest.fail)
    assert isinstance(output, dict) and output


@pytest.mark.parametrize("verb", sorted(having("--dry-run") - {"push"}))
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(uniapl, tree, verb):
    before = tree()
    method = "train unified discriminator.path=tiny:polar"
    result = uniapl(f"{verb if verb != 'train' else method} --dry-run --json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)
    assert tree() == before


@pytest.mark.parametrize("verb", sorted(having("--dry-run") - NOT_OF_ROWS))
def test_a_dry_run_finds_what_the_run_would_refuse(uniapl, folder, verb):
    (folder / "demo.jsonl").write_text("{}\n")
    result = uniapl(f"{verb if verb != 'train' else 'train sft'} --dry-run")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: demo.jsonl:1:")


@pytest.mark.parametrize("verb", verbs())
def test_help_has_an_example_that_works(uniapl, verb):
    result = uniapl(f"{verb} --help", enough=False)
    assert result.exit_code == 0
    assert f"Example: uniapl {verb}" in " ".join(result.stdout.split())
    (example,) = [
        line.removeprefix("Example: ")
        for line in map(str.strip, verbs()[verb].help.splitlines())
        if line.startswith("Example: ")
    ]
    assert read(example)[0] == verb
    compose(example)
    config = str(read(example)[1].get("config") or PREFIX)
    assert config.startswith(PREFIX) or (ROOT / config).exists()


@pytest.mark.parametrize("words", ["", "config", "tiny"])
def test_a_group_alone_shows_its_help(program, words):
    result = program(words.split())
    assert "Usage: uniapl" in result.stdout + result.stderr


def test_the_version_is_the_packages(uniapl):
    from uniapl_cli import __version__

    assert uniapl("--version").stdout == f"{__version__}\n"


def test_results_are_lines_or_tables_for_people(uniapl):
    filtered = uniapl("filter-gt")
    assert filtered.stdout.startswith("kept: ")
    assert filtered.stdout.endswith("out: kept.jsonl\n")
    assert "prompt strict" in uniapl("eval").stdout
    assert "terms.<name>.weight" in uniapl("config keys").stdout


def test_brackets_and_colons_in_a_path_are_printed_as_they_are(uniapl, folder):
    (folder / "[a]:x:").mkdir()
    result = uniapl("filter-gt 'filter.out=\"[a]:x:/kept.jsonl\"'")
    assert result.stdout.endswith("out: [a]:x:/kept.jsonl\n")


def test_a_config_shown_is_a_config_that_loads(uniapl, folder):
    shown = uniapl("config show -m unified optim.weight_decay=0.003 run.dir=x").stdout
    (folder / "shown.yaml").write_text(shown)
    assert uniapl("config show -m unified -c shown.yaml").stdout == shown
    assert "weight_decay: 0.003" in shown


def test_show_chooses_the_columns(uniapl):
    assert uniapl("eval eval.name=base").exit_code == 0
    table = uniapl("report ev/eval.json --show greedy/length").stdout
    assert "greedy length" in table and "prompt strict" not in table
    refused = uniapl("report ev/eval.json --show greedy/lenght")
    assert refused.exit_code == 2
    assert "'greedy/length'" in refused.stderr


def test_seeds_become_a_row_with_an_interval(uniapl):
    for seed in (0, 1):
        evaluated = uniapl(f"eval eval.name=base-{seed} eval.out=ev{seed} seed={seed}")
        assert evaluated.exit_code == 0, evaluated.stderr
    files = "ev0/eval.json ev1/eval.json --over-seeds"
    (row,) = json.loads(uniapl(f"report {files} --json").stdout)["evaluations"]
    assert (row["name"], row["seeds"]) == ("base", ["0", "1"])
    assert row["draws"]["greedy"]["length"].keys() == {"mean", "interval", "n", "values"}
    assert "half its 95% interval" in uniapl(f"report {files}").stdout


def test_training_again_tells_the_same_and_does_nothing(uniapl, tree):
    first = uniapl("train sft --json")
    before = tree()
    assert uniapl("train sft --json").stdout == first.stdout
    assert tree() == before


def test_settings_of_run_may_change_between_two_parts_of_a_run(uniapl):
    assert uniapl("train sft").exit_code == 0
    assert uniapl("train sft run.log_every=7 run.save_every=9").exit_code == 0


@pytest.mark.slow
def test_a_reader_who_leaves_early_is_no_bug():
    command = f"{sys.executable} -c 'from uniapl_cli.cli.app import main; main()' config keys"
    result = subprocess.run(
        f"{command} | head -n 1", shell=True, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in result.stderr
    assert result.stdout.count("\n") == 1


def test_a_command_to_be_copied_is_one_line():
    words = ["serve", "model.path=tiny:teacher", "run.device=cpu", "--dry-run"]
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert CliRunner().invoke(app, words).stdout.splitlines()[0] == told["command"]


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["config", "show", "--help"]])
def test_help_imports_no_heavy_library(words):
    """A help text in a blink: what takes a second to import waits until a verb runs."""
    heavy = {"torch", "transformers", "datasets", "omegaconf", "nltk", "httpx2"}
    code = (
        f"import sys; from typer.testing import CliRunner; from uniapl_cli.cli.app import app;"
        f"assert CliRunner().invoke(app, {words}).exit_code == 0;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("options", ["", "--json"])
def test_a_closed_stream_is_no_fault_and_no_file_takes_its_number(tmp_path, closed, options):
    (tmp_path / "plugin.py").write_text(
        "import os\nfile = open('numbers', 'w')\nfile.write(str(file.fileno()))\nfile.close()\n"
    )
    words = f"list metrics --plugin plugin.py {options}"
    command = f'"{sys.executable}" -m uniapl_cli {words} {closed}'
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert int((tmp_path / "numbers").read_text()) > 2
    assert bool(result.stdout) == ("1>" not in closed)
