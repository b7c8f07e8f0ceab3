"""A user's mistake: exit code 2, one line with its place or key, and nothing half-written.

What the lines say is in tests/messages/golden.txt.
"""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from uniapl_cli.tiny.assets import resolve

ROW = {
    "key": "a",
    "prompt": "Hi",
    "response": "So.",
    "instruction_id_list": ["punctuation:no_comma"],
    "kwargs": [{}],
}


@pytest.fixture
def refused(uniapl, tree):
    """refused(command, *parts): run it, check that it is refused, and that the line has `parts`."""

    def check(command: str, *parts: str, enough: bool = True) -> None:
        before = tree()
        result = uniapl(command, enough=enough)
        assert result.exit_code == 2, result.output + repr(result.exception)
        lines = result.stderr.splitlines()
        (line,) = [text for text in lines if not text.startswith(("warning: ", "computing in "))]
        assert line.startswith("error: ")
        assert [part for part in parts if part not in line] == [], line
        assert result.stdout == ""
        assert tree() == before

    return check


# A file's text, and the line and the key that are told.
FILES = {
    "a: [1": ("exp.yaml:1:",),
    "seed: 1\noptim:\n  lrr: 1\n": ("exp.yaml:3:", "optim.lrr", "'optim.lr'"),
    "terms: {kl: {weight: 1 +}}\n": ("exp.yaml:1:", "terms.kl.weight"),
    "include: absent.yaml\n": ("exp.yaml:1:", "absent.yaml"),
    "": ("exp.yaml:",),
}


@pytest.mark.parametrize("text", FILES)
def test_a_mistake_in_the_file(refused, folder, text):
    (folder / "exp.yaml").write_text(text)
    refused("train grpo --config exp.yaml", *FILES[text])


@pytest.mark.parametrize("verb", ["train sft", "eval", "data inspect demo.jsonl"])
def test_a_template_that_fails_is_told_by_its_key(refused, folder, verb):
    (folder / "fails.jinja").write_text("{% for t in tools %}{% endfor %}{{ messages[0].content }}")
    model = "" if verb == "eval" else "model.path=tiny:base"
    refused(f"{verb} {model} chat.template=fails.jinja", "'chat.template=fails.jinja'")


def test_a_missing_file_is_told_with_the_nearest(refused, folder):
    (folder / "exp.yaml").write_text("seed: 1\n")
    refused("train sft -c exp.yml", "'exp.yml'", "'exp.yaml'")


# A command, and what its line must have: the override or the key, and the names that were meant.
COMMANDS = {
    "train sft optim.lrr=1": ("'optim.lrr=1'", "'optim.lr'"),
    "train sft run.dir": ("'run.dir'",),
    "train grop": ("'grop'", "'grpo'"),
    "train absent.yaml": ("absent.yaml",),
    "train grpo terms.kl.objective=kll": ("'terms.kl.objective=kll'", "'kl'"),
    "train grpo terms.kl=null terms.preference=null": ("terms",),
    "train grpo schedules.beta_kl=high": ("'schedules.beta_kl=high'",),
    "train agrpo": ("discriminator.path",),
    "train agrpo discriminator.path=tiny:base": ("tiny:base",),
    "train sft run.device=tpu": ("'run.device=tpu'",),
    "train sft run.device=meta": ("'run.device=meta'", "cpu"),
    "train sft run.device=mps": ("'run.device=mps'", "cpu"),
    "train sft run.device=cuda:x": ("'run.device=cuda:x'", "cpu"),
    "train sft model.path=./absent": ("'model.path=./absent'",),
    "train sft model.path=tiny:polar": ("tiny:polar",),
    "train sft model.revision=v1": ("'model.revision=v1'",),
    "eval eval.revision=v1": ("'eval.revision=v1'",),
    "teacher-gen teacher.revision=v1": ("'teacher.revision=v1'",),
    "train sft model.attention=fast": ("model.path", "fast"),
    "train sft data.demonstrations=null": ("data.demonstrations",),
    "train sft data.max_prompt_tokens=3": ("demo.jsonl:1:", "data.max_prompt_tokens"),
    "train sft optim.lr=-1": ("'optim.lr=-1'",),
    "train grpo sampling.max_new_tokens=600": ("demo.jsonl:1:", "sampling.max_new_tokens"),
    "eval eval.metrics=[]": ("eval.metrics",),
    "eval eval.metrics=[discriminator]": ("discriminator.path",),
    "eval eval.draws.greedy.sampling.max_new_tokens=600": ("demo.jsonl:4", "draw 'greedy'"),
    "teacher-gen teach.samples=0": ("'teach.samples=0'",),
    "filter-gt filter.rejected=kept.jsonl": ("filter.rejected",),
    "data compose compose.fewest=9": ("'compose.fewest=9'",),
    "data compose compose.instructions=[count:numbers]": ("count:numbers",),
    "data compose compose.prompts=demo.jsonl": ("demo.jsonl:1:",),
    "pretrain-polar polar.trajectories=[demo.jsonl]": ("polar.trajectories",),
    "pretrain-polar polar.separator=<x>": ("<x>",),
    "config check -m grpo terms.kl.weight=x": ("'terms.kl.weight=x'",),
    "config check -m sft discriminator.kind=embeding": ("'embedding'",),
    "config show optim.lrr=1": ("'optim.lrr=1'",),
    "list objective": ("'objectives'",),
    "report demo.jsonl": ("'demo.jsonl'",),
    "setup punkt": ("'punkt'", "nltk"),
    "tiny pack absent assets": ("absent",),
    "tiny halve absent out": ("absent",),
    "tiny world demo.jsonl/world": ("demo.jsonl",),
    "tiny truth absent.jsonl out.jsonl": ("absent.jsonl",),
    "data inspect absent.jsonl model.path=tiny:base": ("absent.jsonl",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_in_a_command(refused, command):
    refused(command, *COMMANDS[command])


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("train sft", ["model.path", "training.steps", "run.dir"]),
        ("eval", ["eval.model", "eval.out"]),
        ("teacher-gen", ["teacher.path", "teach.prompts", "teach.out"]),
        ("data compose", ["compose.out"]),
        ("filter-gt", ["filter.responses", "filter.out"]),
        ("pretrain-polar", ["run.dir", "polar.init", "training.steps"]),
    ],
)
def test_mandatory_values_are_asked_for_together(refused, command, keys):
    refused(command, *(f"{key}=..." for key in keys), enough=False)


ROWS = {
    '{"prompt": "Hi"': "column 16",
    '{"question": "Hi"}': "'question_answer'",
    json.dumps(ROW): "demo.jsonl:1",
    json.dumps({**ROW, "instruction_id_list": ["punctuation:no_comas"], "kwargs": [{}]}): (
        "'punctuation:no_comma'"
    ),
    json.dumps({**ROW, "key": "b", "prompt": "Hi " * 600}): "512",
}


@pytest.mark.parametrize("verb", ["teacher-gen", "eval"])
@pytest.mark.parametrize("line", ROWS, ids=ROWS.values())
def test_a_bad_row(refused, folder, verb, line):
    (folder / "demo.jsonl").write_text(f"{json.dumps(ROW)}\n{line}\n")
    refused(verb, "demo.jsonl:2", ROWS[line])


@pytest.mark.parametrize("verb", ["train sft", "eval", "teacher-gen", "filter-gt"])
def test_a_data_set_that_is_empty_or_not_there(refused, folder, verb):
    (folder / "demo.jsonl").write_text("\n")
    refused(verb, "'demo.jsonl'")
    (folder / "demo.jsonl").unlink()
    refused(verb, "'demo.jsonl'")


@pytest.mark.parametrize(
    "command",
    [
        "train sft",
        "train asft discriminator.path=tiny:polar",
        "filter-gt",
        "eval eval.metrics=[discriminator] discriminator.path=tiny:polar",
    ],
)
def test_a_missing_response(refused, folder, rows, command):
    lacking = {name: value for name, value in rows[0].items() if name != "response"}
    (folder / "demo.jsonl").write_text(json.dumps(lacking) + "\n")
    refused(command, "demo.jsonl:1:", "'response'")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("train sft run.dir=demo.jsonl", "'demo.jsonl'"),
        ("train sft run.dir=demo.jsonl/x", "'demo.jsonl/x'"),
        ("train sft run.dir=folder", "'folder'"),
        ("eval eval.out=demo.jsonl", "'demo.jsonl'"),
        ("teacher-gen teach.out=demo.jsonl/x", "'demo.jsonl"),
        ("teacher-gen teach.out=demo.jsonl", "'demo.jsonl'"),
        ("filter-gt filter.out=demo.jsonl/x", "'demo.jsonl"),
        ("filter-gt filter.out=folder", "'folder'"),
        ("filter-gt filter.rejected=folder", "'folder'"),
        ("tiny world folder", "'folder'"),
    ],
)
def test_a_path_that_cannot_be_written(refused, folder, command, path):
    (folder / "folder").mkdir()
    (folder / "folder" / "file").touch()
    refused(command, path)


def damaged(folder: Path, damage: str) -> None:
    shutil.copytree(resolve("tiny:base"), folder)
    weights = folder / "model.safetensors"
    if damage == "torn":
        weights.write_bytes(weights.read_bytes()[:3000])
    elif damage == "lacking":
        kept = load_file(weights)
        save_file({k: v for k, v in kept.items() if "norm" not in k}, weights, {"format": "pt"})
    else:
        (folder / damage).write_text("{")


@pytest.mark.parametrize("key", ["train sft model.path", "eval eval.model"])
@pytest.mark.parametrize("damage", ["torn", "lacking", "config.json", "tokenizer.json"])
def test_a_damaged_model(refused, folder, key, damage):
    damaged(folder / "model", damage)
    refused(f"{key}=model", key.split()[-1], "'model")


@pytest.mark.parametrize(
    ("first", "second", "parts"),
    [
        ("train sft", "train sft seed=1", ("'run'", "seed: 0 -> 1")),
        ("train sft", "train grpo", ("'run'",)),
        ("teacher-gen", "teacher-gen seed=1", ("'out.jsonl'",)),
        ("teacher-gen", "teacher-gen teacher.path=tiny:base", ("'out.jsonl'",)),
        ("teacher-gen", "teacher-gen teach.prompts=others.jsonl", ("out.jsonl:1:",)),
    ],
)
def test_what_another_command_has_made_is_left_alone(uniapl, refused, folder, first, second, parts):
    assert uniapl(first).exit_code == 0
    moved = [{**ROW, "key": f"heldout-{n}"} for n in range(4)]
    (folder / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
    refused(second, *parts)


def test_a_message_is_one_line_whatever_it_quotes(refused, folder):
    row = {**ROW, "instruction_id_list": ["two\nlines"], "kwargs": [{}]}
    (folder / "demo.jsonl").write_text(json.dumps(row) + "\n")
    refused("filter-gt", "demo.jsonl:1:", "'two lines'")


def test_a_discriminator_is_refused_before_the_run_is_made(refused, folder):
    shutil.copytree(resolve("tiny:polar"), folder / "polar")
    weights = folder / "polar" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])
    refused("train agrpo discriminator.path=polar", "'polar'")


def test_debug_shows_where_an_error_came_from(program, tmp_path):
    result = program(["report", "absent.json", "--debug"], cwd=tmp_path)
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("uniapl_cli.errors.DataError: ")
    assert result.returncode == 1


def test_the_program_exits_as_the_runner_does(program, tmp_path):
    result = program(["report", "absent.json"], cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and "absent.json" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["trian"], ["train"], ["eval", "--jsno"], ["tiny", "worlds"]])
def test_an_unknown_verb_or_option_exits_2(program, words, tmp_path):
    result = program(words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Usage: uniapl" in result.stderr
