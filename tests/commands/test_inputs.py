"""A run goes on with what it began with: data, template, models, length, date."""

import json
import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from uniapl_cli.errors import RunError
from uniapl_cli.tiny.assets import resolve


@pytest.fixture
def copies(tmp_path, tiny_data):
    """Copies of what a run reads: {name: path}, and the overrides that name them."""
    few, folder = tmp_path / "few.jsonl", tmp_path / "base"
    shutil.copy(tiny_data["few"], few)
    shutil.copy(tiny_data["pairs"], tmp_path / "pairs.jsonl")
    shutil.copytree(resolve("tiny:base"), folder)
    shutil.copytree(resolve("tiny:polar"), tmp_path / "polar")
    template = tmp_path / "own.jinja"
    template.write_text((folder / "chat_template.jinja").read_text())
    return tmp_path


def overrides(folder):
    return [
        f"data.demonstrations={folder}/few.jsonl",
        f"data.prompts={folder}/few.jsonl",
        f"model.path={folder}/base",
        f"discriminator.path={folder}/polar",
        f"chat.template={folder}/own.jinja",
    ]


def reverse(path):
    path.write_text("".join(path.read_text().splitlines(True)[::-1]))


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


# the key that is told, and how what it names becomes another
OTHERS = {
    "data.prompts": lambda folder: reverse(folder / "few.jsonl"),
    "model.path": lambda folder: flip(folder / "base" / "model.safetensors"),
    "discriminator.path": lambda folder: flip(folder / "polar" / "model.safetensors"),
    "chat.template": lambda folder: (folder / "own.jinja").write_text(
        "x" + (folder / "own.jinja").read_text()
    ),
}


@pytest.mark.slow
def test_what_a_run_reads_must_be_what_it_was(train_tiny, copies, back_to_step_2):
    run = train_tiny("agrpo", "run", *overrides(copies))
    back_to_step_2(run)
    shutil.copytree(run, copies / "kept")
    for key, change in OTHERS.items():
        kept = shutil.copytree(copies, copies.with_name(f"{key}"), ignore=lambda *_: ["run"])
        change(kept)
        with pytest.raises(RunError) as caught:
            train_tiny("agrpo", "run", *overrides(kept))
        error = caught.value
        assert error.key == key
        assert error.where.startswith(f"override '{key}=")
        assert "\n" not in str(error)


@pytest.mark.slow
def test_a_finished_run_is_not_taken_for_one_of_other_data(train_tiny, copies):
    run = train_tiny("sft", "run", *overrides(copies))
    reverse(copies / "few.jsonl")
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", *overrides(copies))
    assert caught.value.key == "data.demonstrations"
    (copies / "few.jsonl").unlink()
    assert train_tiny("sft", "run", *overrides(copies)) == run  # what it has read may be gone


@pytest.mark.slow
def test_what_has_moved_and_was_touched_is_still_the_same(
    train_tiny, copies, back_to_step_2, weights, logged
):
    run = train_tiny("agrpo", "run", *overrides(copies))
    expected = weights(run), logged(run)
    back_to_step_2(run)
    moved = copies.with_name("moved")
    shutil.copytree(copies, moved, ignore=lambda *_: ["run"])
    for path in moved.rglob("*"):
        os.utime(path, (1, 1))
    for name in ("base", "polar"):
        shutil.rmtree(copies / name)
    for name in ("few.jsonl", "own.jinja"):
        (copies / name).unlink()
    train_tiny("agrpo", "run", *overrides(moved))
    assert (weights(run), logged(run)) == expected


@pytest.mark.slow
def test_a_discriminator_is_from_the_same_trajectories(train_tiny, tmp_path, tiny_data):
    names = [shutil.copy(tiny_data[name], tmp_path) for name in ("good", "poor")]
    trajectories = f"polar.trajectories=[{names[0]},{names[1]}]"
    run = train_tiny("polar", "run", trajectories)
    shutil.rmtree(run / "final")
    shutil.rmtree(run / "checkpoints" / "step-00000004")
    heldout = f"polar.heldout=[{tiny_data['few']},{tiny_data['poor']}]"
    train_tiny("polar", "run", trajectories, heldout, f"eval.out={tmp_path}")
    shutil.rmtree(run / "final")
    shutil.rmtree(run / "checkpoints" / "step-00000004")
    with pytest.raises(RunError) as caught:
        train_tiny("polar", "run", f"polar.trajectories=[{names[1]},{names[0]}]")
    assert caught.value.key == "polar.trajectories[0]"
    reverse(Path(names[1]))
    with pytest.raises(RunError) as caught:
        train_tiny("polar", "run", trajectories)
    assert caught.value.key == "polar.trajectories[1]"


@pytest.mark.parametrize("name", ["config.yaml", "inputs.json"])
@pytest.mark.parametrize("left", ["final", "checkpoints"])
def test_without_a_record_of_how_it_was_made_no_run_goes_on(train_tiny, back_to_step_2, name, left):
    run = train_tiny("sft", "run")
    if left == "checkpoints":
        back_to_step_2(run)
    else:
        shutil.rmtree(run / "checkpoints")
    (run / name).unlink()
    before = sorted(run.rglob("*"))
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run")
    assert caught.value.key == "run.dir"
    assert name in caught.value.problem
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"model.path": 3}', "[" * 100_000])
def test_a_record_that_names_nothing_is_damaged(train_tiny, text):
    run = train_tiny("sft", "run")
    (run / "inputs.json").write_text(text)
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run")
    assert caught.value.got == str(run / "inputs.json")


# What SFT does not read.
UNREAD = (
    *("eval.limit=3", "teach.samples=2", "filter.workers=1", "score.chunk=7", "polar.init=x"),
    *("teacher.path=x", "sampling.temperature=0.5", "discriminator.path=tiny:polar"),
    *(
        "data.layouts.prompts=ifeval",
        "data.prompts=absent.jsonl",
        "data.preferences=absent.jsonl",
        "sandbox.seconds=3",
    ),
    *("sources.rollouts.num_generations=7", "rewards.anchor.advantage=group"),
    *("data.tolerance=1", "data.bad_rows=${run.dir}/bad.jsonl", "eval.model=${run.dir}"),
)


def test_what_training_does_not_read_may_change(
    train_tiny, back_to_step_2, weights, logged, tmp_path
):
    own = ("data.bad_rows=${run.dir}/bad.jsonl", "eval.out=${run.dir}/eval")
    run = train_tiny("sft", "run", *own)
    expected = weights(run), logged(run)
    back_to_step_2(run)
    run.rename(tmp_path / "elsewhere")
    moved = train_tiny("sft", "elsewhere", *own, *UNREAD)
    assert (weights(moved), logged(moved)) == expected


@pytest.mark.slow
def test_a_longer_run_is_the_one_that_was_longer_from_the_start(train_tiny, weights, logged):
    expected = train_tiny("sft", "long", "training.steps=8")
    for name, first in {"finished": 4, "interrupted": 4}.items():
        run = train_tiny("sft", name, f"training.steps={first}")
        if name == "interrupted":
            shutil.rmtree(run / "final")
        train_tiny("sft", name, "training.steps=8")
        assert (weights(run), logged(run)) == (weights(expected), logged(expected))
        train_tiny("sft", name, "training.steps=8")


@pytest.mark.slow
def test_a_term_may_become_active_after_the_shorter_run_has_ended(train_tiny, weights):
    late = "{kind: warmup_decay, warmup_steps: 0, decay_steps: 4, peak: 0, valley: 1}"
    own = [f"schedules.mu={late}", "terms.imitation.weight=1 - mu", "terms.preference.weight=mu"]
    own += ["terms.kl=null", "terms.adversarial=null"]
    expected = train_tiny("chord", "long", *own, "training.steps=6")
    run = train_tiny("chord", "run", *own, "training.steps=1")
    train_tiny("chord", "run", *own, "training.steps=6")
    assert weights(run) == weights(expected)


def test_a_shorter_run_is_one_that_has_not_gone_so_far(train_tiny, weights, back_to_step_2):
    expected = train_tiny("sft", "short", "training.steps=3")
    run = train_tiny("sft", "run")
    back_to_step_2(run)
    train_tiny("sft", "run", "training.steps=3")
    assert weights(run) == weights(expected)
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", "training.steps=2")
    assert caught.value.got == 2


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("optim.lr={kind: cosine, peak: 0.003, value: null}", "optim.lr"),
        ("schedules.alpha={kind: linear, start: 1, end: 0.5, value: null}", "schedules.alpha"),
    ],
)
def test_another_length_is_refused_where_a_schedule_depends_on_it(train_tiny, override, key):
    method = "unified" if key.startswith("schedules") else "sft"
    train_tiny(method, "run", override)
    with pytest.raises(RunError) as caught:
        train_tiny(method, "run", override, "training.steps=8")
    assert caught.value.got == ["training.steps: 4 -> 8", key]


def test_a_finished_run_without_its_last_checkpoint_does_not_start_anew(train_tiny, weights):
    run = train_tiny("sft", "run")
    expected = weights(run)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(RunError):
        train_tiny("sft", "run", "training.steps=8")
    assert weights(run) == expected


def test_a_run_keeps_the_date_on_which_it_began(train_tiny, back_to_step_2, monkeypatch):
    class Later(date):
        @classmethod
        def today(cls):
            return cls(2031, 1, 2)

    run = train_tiny("sft", "run")
    kept = f"date: {date.today().isoformat()}"
    assert kept in (run / "config.yaml").read_text()
    back_to_step_2(run)
    monkeypatch.setattr("uniapl_cli.commands.run.date", Later)
    train_tiny("sft", "run")
    assert kept in (run / "config.yaml").read_text()
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", "chat.date=2031-01-02")
    assert caught.value.got[0].startswith("chat.date: ")


def test_the_record_names_what_was_read(train_tiny, tiny_data):
    run = train_tiny("agrpo", "run")
    record = json.loads((run / "inputs.json").read_text())
    assert set(record) == {"chat.template", "data.prompts", "model.path", "discriminator.path"}
    assert record["data.prompts"]["path"] == str(tiny_data["few"])
