"""Outputs that cannot be written, or would destroy an input, are refused before any work."""

import json
import os
import stat
from pathlib import Path

import pytest

from uniapl_cli.tiny.assets import resolve

BAD = "data.tolerance=1 data.bad_rows"
# A verb, one of its outputs, and what it reads meanwhile. OUT is replaced by the output's path.
OUTPUTS = {
    "filter-gt filter.out=OUT": "filter.responses",
    "filter-gt filter.rejected=OUT": "filter.responses",
    "filter-gt filter.pairs=OUT": "filter.responses",
    "filter-gt filter.constraints=other.jsonl filter.out=OUT": "filter.constraints",
    f"filter-gt {BAD}=OUT": "filter.responses",
    "data compose compose.out=OUT": "compose.prompts",
    "teacher-gen teach.out=OUT": "teach.prompts",
    f"teacher-gen {BAD}=OUT": "teach.prompts",
    "score score.out=OUT": "score.input",
    f"score {BAD}=OUT": "score.input",
    f"eval {BAD}=OUT": "eval.data",
    f"train sft {BAD}=OUT": "data.demonstrations",
    f"train grpo {BAD}=OUT": "data.prompts",
    f"pretrain-polar {BAD}=OUT": "polar.trajectories",
}
ROUTES = ["same", "dotted", "linked", "linked folder", "hard link"]


def route(folder: Path, name: str) -> tuple[str, str]:
    """Return an input's path and the output's, which is the same file."""
    file = folder / "other.jsonl"
    file.write_bytes((folder / "demo.jsonl").read_bytes())
    if name == "linked":
        (folder / "link.jsonl").symlink_to("other.jsonl")
    elif name == "linked folder":
        (folder / "link").symlink_to(".")
    elif name == "hard link":
        os.link(file, folder / "hard.jsonl")
    routes = {
        "same": "other.jsonl",
        "dotted": "./x/../other.jsonl",
        "linked": "link.jsonl",
        "linked folder": "link/other.jsonl",
        "hard link": "hard.jsonl",
    }
    (folder / "x").mkdir()
    return "other.jsonl", routes[name]


def key_of(command: str) -> str:
    return next(w for w in command.split() if w.endswith("=OUT")).removesuffix("=OUT")


@pytest.fixture
def refused(uniapl, tree):
    """refused(command, *parts): exit code 2, one line with these parts, and nothing changed."""

    def check(command: str, *parts: str) -> None:
        before = tree()
        result = uniapl(command)
        lines = [x for x in result.stderr.splitlines() if not x.startswith("warning: ")]
        assert (result.exit_code, len(lines)) == (2, 1), result.output + repr(result.exception)
        assert [part for part in parts if part not in lines[0]] == [], lines[0]
        assert tree() == before

    return check


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *((command, "linked folder") for command in OUTPUTS),
        *(("filter-gt filter.rejected=OUT", name) for name in ROUTES),
    ],
)
def test_an_output_that_is_an_input_is_refused(refused, folder, command, name):
    read, out = route(folder, name)
    value = f"[demo.jsonl,{read}]" if "polar" in command else read
    given = command.replace("OUT", out)
    refused(f"{given} {OUTPUTS[command]}={value}", key_of(command), f"'{OUTPUTS[command]}'", out)


@pytest.mark.parametrize("command", OUTPUTS)
def test_an_output_that_is_the_config_or_included_by_it_is_refused(refused, folder, command):
    (folder / "base.yaml").write_text("seed: 1\n")
    (folder / "exp.yaml").write_text("include: base.yaml\nseed: 2\n")
    for out in ("exp.yaml", "base.yaml"):
        refused(f"{command.replace('OUT', out)} --config exp.yaml", key_of(command), f"'{out}'")


@pytest.mark.parametrize(
    "command",
    [
        "filter-gt filter.rejected=kept.jsonl",
        "filter-gt filter.rejected=r.jsonl filter.pairs=./r.jsonl",
        "filter-gt data.tolerance=1 data.bad_rows=kept.jsonl",
        "teacher-gen data.tolerance=1 data.bad_rows=out.jsonl",
        "teacher-gen data.tolerance=1 data.bad_rows=out.jsonl.meta.json",
        "score data.tolerance=1 data.bad_rows=scored.jsonl",
        "eval data.tolerance=1 data.bad_rows=ev/responses.jsonl",
        "train sft data.tolerance=1 data.bad_rows=run/metrics.jsonl",
    ],
)
def test_two_outputs_into_one_file_are_refused(refused, command):
    refused(command, command.rpartition("=")[2])


def test_two_outputs_that_swallow_everything_are_fine(uniapl):
    if not Path("/dev/null").is_char_device():
        pytest.skip("no /dev/null")
    result = uniapl("filter-gt filter.rejected=/dev/null filter.pairs=/dev/null")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("eval eval.data=ev/responses.jsonl", "eval.out"),
        ("train sft data.demonstrations=run/samples.jsonl", "run.dir"),
        ("teacher-gen teach.prompts=out.jsonl.meta.json", "teach.out"),
    ],
)
def test_an_input_among_the_files_that_a_verb_writes_is_refused(refused, folder, command, key):
    for name in ("ev/responses.jsonl", "run/samples.jsonl", "out.jsonl.meta.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "demo.jsonl").read_bytes())
    (folder / "run" / ".lock").touch()
    refused(command, key, command.split()[-1].partition("=")[0])


def test_a_file_of_the_model_is_no_output(refused, folder):
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    refused(f"train sft model.path=model {BAD}=model/config.json", "data.bad_rows", "model.path")


@pytest.mark.parametrize("place", ["/proc/a", "nowhere"])
@pytest.mark.parametrize(
    "command",
    [*OUTPUTS, "eval eval.out=OUT", "train sft run.dir=OUT", "pretrain-polar run.dir=OUT"],
)
def test_a_place_that_takes_no_file_is_refused_before_the_work(refused, folder, command, place):
    (folder / "other.jsonl").write_bytes((folder / "demo.jsonl").read_bytes())
    (folder / "nowhere").symlink_to("absent/file")
    refused(command.replace("OUT", place), place)


def test_streams_are_written_through(uniapl, folder):
    """A pipe and a device are what they were afterwards, and a link leads where it led."""
    (folder / "link.jsonl").symlink_to("kept.jsonl")
    names = ["link.jsonl"]
    if os.geteuid() == 0:
        try:
            os.mknod(folder / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            (folder / "device").write_text("")
            names.append("device")
        except PermissionError:
            pass
    for name in names:
        result = uniapl(f"filter-gt filter.out={name} filter.rejected=/dev/null")
        assert result.exit_code == 0, result.output
    for name in names[1:]:
        assert uniapl(f"score score.out={name}").exit_code == 0
    assert (folder / "link.jsonl").is_symlink()
    assert (folder / "kept.jsonl").read_text().startswith('{"key"')
    assert names == ["link.jsonl"] or (folder / "device").is_char_device()


@pytest.mark.slow
def test_scores_go_into_a_pipe(folder, program, enough):
    words = ["score", *enough["score"], "score.out=/dev/stdout"]
    result = program(words, cwd=folder)
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [row["key"] for row in rows] == [
        json.loads(line)["key"] for line in (folder / "demo.jsonl").read_text().splitlines()
    ]


@pytest.mark.parametrize(
    "command",
    [
        "tiny truth demo.jsonl ./demo.jsonl",
        "tiny truth demo.jsonl x/folder",
        "tiny halve model model",
        "tiny halve model model/below",
        "tiny halve model x",
        "tiny halve model .",
    ],
)
def test_a_recipes_verb_replaces_no_input_and_nothing_else_than_its_own(refused, folder, command):
    (folder / "model").mkdir()
    weights = Path(resolve("tiny:base")) / "model.safetensors"
    (folder / "model" / "model.safetensors").write_bytes(weights.read_bytes())
    (folder / "x" / "folder").mkdir(parents=True)
    refused(command, f"'{Path(command.split()[-1])}'")
