"""A run's objects are made once, its rows read once; a dry run is the same, stopped early."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from uniapl_cli.chat import Chat
from uniapl_cli.cli.app import app
from uniapl_cli.commands import components, together
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.pretrain_polar import pretrain_polar
from uniapl_cli.commands.train import train
from uniapl_cli.config import load as loader
from uniapl_cli.data import text_files
from uniapl_cli.errors import UniAPLError
from uniapl_cli.files import write_rows
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training import policy
from uniapl_cli.training.optim import Optimizer
from uniapl_cli.training.terms import Plan


@pytest.fixture
def count(monkeypatch):
    """count(owner, function, called): from now on count its calls; the counter by name.

    `called` makes the name of the arguments; without it, it is the function's own.
    """
    counts = Counter()

    def of(owner, function, called=None):
        original = getattr(owner, function)

        def counted(*args, **options):
            counts[called(*args, **options) if called else function] += 1
            return original(*args, **options)

        monkeypatch.setattr(owner, function, counted)
        return counts

    return of


@pytest.fixture
def objects(count):
    """How often what a run is made of is made, and a tokenizer loaded from each place."""
    from transformers import AutoTokenizer

    for kind in (Chat, Optimizer, LocalGenerator, Plan):
        count(kind, "__init__", lambda self, *_, **__: type(self).__name__)
    for name in ("discriminator", "load_model"):
        count(components, name)
    count(together, "use_device")
    count(torch, "set_num_threads")
    count(loader, "validated")
    return count(AutoTokenizer, "from_pretrained", lambda path, **_: Path(path).name)


def test_objects_are_made_once(tmp_path, tiny_data, objects):
    overrides = ["model.path=tiny:base", "discriminator.path=tiny:polar", "training.steps=2"]
    overrides += [f"data.{name}={tiny_data['few']}" for name in ("demonstrations", "prompts")]
    overrides += ["sources.rollouts={prompts_per_step: 1, num_generations: 2}", "run.threads=1"]
    overrides += ["sources.demonstrations.rows_per_step=2", "sampling.max_new_tokens=4"]
    result = CliRunner().invoke(
        app, ["train", "unified", *overrides, f"run.dir={tmp_path / 'run'}"]
    )
    assert result.exit_code == 0, result.stderr
    assert objects == {
        "validated": 1,  # a whole config
        "Plan": 1,
        "use_device": 1,
        "set_num_threads": 1,
        "Chat": 1,
        "base": 1,  # the tokenizers of policy and discriminator
        "polar": 1,
        "load_model": 2,  # policy and reference
        "discriminator": 1,
        "LocalGenerator": 2,  # one of them to try the model with
        "Optimizer": 1,
    }


@pytest.fixture
def rows(count):
    """How often each line is parsed, and prompts rendered."""
    count(text_files, "parse_row", lambda line, origin: origin)
    return count(Chat, "render")


def parsed(counts, path):
    lines = range(1, len(path.read_text().splitlines()) + 1)
    return [counts[f"{path}:{line}"] for line in lines]


def test_each_row_is_parsed_and_rendered_once(tiny_config, tiny_data, rows):
    """Though demonstrations and prompts are one file, and every row is trained on twice."""
    sizes = ["sources.demonstrations.rows_per_step=8", "sources.rollouts.prompts_per_step=8"]
    files = [f"data.{name}={tiny_data['eight']}" for name in ("demonstrations", "prompts")]
    train(tiny_config("unified", "run", *files, *sizes, "training.steps=2"))
    assert parsed(rows, tiny_data["eight"]) == [1] * 8
    assert rows["render"] == 8


def test_of_several_files_each_is_read_once(tiny_config, tiny_data, rows):
    files = [f"data.demonstrations={tiny_data['eight']}", f"data.preferences={tiny_data['pairs']}"]
    train(tiny_config("unified_dpo", "run", *files), dry_run=True)
    for name in ("eight", "few", "pairs"):
        assert set(parsed(rows, tiny_data[name])) == {1}


@pytest.fixture
def dry(tiny_config, tmp_path, monkeypatch):
    """dry(method, *overrides): a dry run, which may load no weights and writes nothing."""

    def refuse(*args, **options):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(policy, "load_model", refuse)
    monkeypatch.setattr(components, "load_model", refuse)
    monkeypatch.setattr(components, "discriminator", refuse)
    monkeypatch.setattr("transformers.AutoModelForSequenceClassification.from_pretrained", refuse)

    def run(method, *overrides):
        config = tiny_config(method, "run", *overrides)
        there = sorted(tmp_path.rglob("*"))
        try:
            return (pretrain_polar if method == "polar" else train)(config, dry_run=True)
        finally:
            assert sorted(tmp_path.rglob("*")) == there

    return run


def test_a_dry_run_tells_what_would_be_done(dry):
    result = dry("unified")
    assert result["data"] == {"demonstrations": 32, "prompts": 32}
    assert result["terms"]["adversarial_sft"] == 0.5
    assert dry("polar")["prompts"] == 32


@pytest.fixture
def folder(tmp_path, tiny_data):
    """What mistakes are made of: wrong rows, and a model without weights."""
    rows = [json.loads(line) for line in tiny_data["eight"].read_text().splitlines()]
    write_rows(tmp_path / "wrong.jsonl", [*rows[:2], {"prompt": 3}])
    write_rows(tmp_path / "unanswered.jsonl", [rows[0], {**rows[1], "response": None}])
    write_rows(tmp_path / "long.jsonl", [rows[0], {**rows[1], "response": "so " * 2000}])
    shutil.copytree(resolve("tiny:base"), tmp_path / "bare", ignore=lambda *_: ["tokenizer.json"])
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.yaml").write_text("seed: 0\n")
    return tmp_path


# method, overrides -> what the error has: the key, the file's name and the line, as far as known
MISTAKES = {
    "a wrong row": (
        "sft", ["data.demonstrations={0}/wrong.jsonl"], "data.demonstrations", "wrong.jsonl", 3,
    ),
    "no answer": (
        "sft", ["data.demonstrations={0}/unanswered.jsonl"], None, "unanswered.jsonl", 2,
    ),
    "a row too long": (
        "sft", ["data.demonstrations={0}/long.jsonl"], "data.max_response_tokens", "long.jsonl", 2,
    ),
    "no data": ("sft", ["data.demonstrations={0}/none.jsonl"], "data.demonstrations", None, None),
    "no model": ("sft", ["model.path={0}/none"], "model.path", None, None),
    "no tokenizer": ("sft", ["model.path={0}/bare"], "model.path", None, None),
    "no discriminator": (
        "agrpo", ["discriminator.path={0}/none"], "discriminator.path", None, None,
    ),
    "no discriminator named": ("agrpo", ["discriminator=null"], "discriminator.path", None, None),
    "an older run": ("sft", ["run.dir={0}/old"], "run.dir", None, None),
    "greedy rollouts": ("grpo", ["sampling.temperature=0"], "sampling.temperature", None, None),
    "no trajectories": (
        "polar", ["polar.heldout=[{0}/none.jsonl,{0}/long.jsonl]"], "polar.heldout", None, None,
    ),
    "no first model": ("polar", ["polar.init={0}/none"], "polar.init", None, None),
    "an older discriminator's run": ("polar", ["run.dir={0}/old"], "run.dir", None, None),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_dry_run_finds_it(dry, folder, mistake):
    method, overrides, key, file, line = MISTAKES[mistake]
    with pytest.raises(UniAPLError) as caught:
        dry(method, *(text.format(folder) for text in overrides))
    error = caught.value
    assert error.key == key
    if file is not None:
        assert (Path(error.file).name, error.line) == (file, line)


def test_a_dry_run_of_an_evaluation_finds_a_missing_model(tiny_config, tiny_data, tmp_path):
    overrides = {"model": tmp_path / "none", "data": tiny_data["eight"], "out": tmp_path / "eval"}
    config = tiny_config(
        "sft", "run", *(f"eval.{name}={value}" for name, value in overrides.items())
    )
    with pytest.raises(UniAPLError) as caught:
        evaluate(config, dry_run=True)
    assert (caught.value.key, caught.value.got) == ("eval.model", str(tmp_path / "none"))


def test_a_dry_run_counts_bad_rows_and_writes_none(tiny_config, tiny_data, tmp_path, caplog):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(f"not json\n{tiny_data['few'].read_text()}")
    bad = tmp_path / "bad.jsonl"
    settings = ["data.tolerance=1", f"data.bad_rows={bad}", f"data.demonstrations={rows}"]
    config = tiny_config("sft", "run", *settings)
    train(config, dry_run=True)
    assert str(bad) in caplog.text
    assert not bad.exists()


def test_bad_rows_of_two_files_are_kept_together(tiny_config, tiny_data, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(f"{name}\n{tiny_data['few'].read_text()}")
    bad = tmp_path / "bad.jsonl"
    files = [f"data.demonstrations={tmp_path}/one.jsonl", f"data.prompts={tmp_path}/two.jsonl"]
    config = tiny_config("chord", "run", "data.tolerance=2", f"data.bad_rows={bad}", *files)
    train(config)
    assert [json.loads(line)["row"] for line in bad.read_text().splitlines()] == ["one", "two"]
