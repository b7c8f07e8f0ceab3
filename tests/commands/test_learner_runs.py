"""Runs with a further learner, whose scores of rollouts are the policy's reward: GAD."""

import json
import logging
from statistics import fmean

import pytest
import torch

from uniapl_cli.commands.plan import plan
from uniapl_cli.commands.train import train
from uniapl_cli.errors import DataError, ServerError, UniAPLError
from uniapl_cli.files import write_rows
from uniapl_cli.sources.rollouts import Rollouts
from uniapl_cli.types import Comparison

FAST = "learners.judge.optim.lr=0.003"
# The policy's weights stay as they are, so that what is told apart does.
ADVERSARIAL = ("schedules.phase=0", FAST)


def of_learner(run):
    """The bytes of the learner's final model, and its last checkpoint's optimiser."""
    saved = torch.load(run / "checkpoints/step-00000004/learner-judge.pt")
    state = saved["optimizer"]["0"]["state"].values()
    moments = [value for of_weight in state for value in of_weight.values()]
    return (run / "final-judge" / "model.safetensors").read_bytes(), moments


def same(ours, theirs):
    (weights, moments), (others, also) = ours, theirs
    return weights == others and all(map(torch.equal, moments, also))


def test_a_resume_is_exact_in_the_learner_too(train_tiny, weights, logged, back_to_step_2):
    run = train_tiny("gad", "run", FAST)
    expected, lines, learner = weights(run), logged(run), of_learner(run)
    assert [line["phase"] for line in lines] == [1, 1, 0, 0]
    back_to_step_2(run)
    (run / "final-judge" / "model.safetensors").unlink()
    train_tiny("gad", "run", FAST)
    assert (weights(run), logged(run)) == (expected, lines)
    assert same(of_learner(run), learner)
    # Else the two could be equal since the learner has stayed where it was.
    files = [run / f"checkpoints/step-0000000{n}/learner-judge.pt" for n in (2, 4)]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_a_step_that_is_broken_off_leaves_no_trace(train_tiny, weights, logged, monkeypatch):
    """A server stays away when the third step's rollouts are there, and scored."""
    options = [FAST, "run.save_every=4", "run.keep_checkpoints=9"]
    run = train_tiny("gad", "run", *options)
    broken, draw = [], Rollouts.draw

    def away(self, context):
        batch = draw(self, context)
        if context.step == 2 and not broken:
            broken.append(context)
            raise ServerError("it is away")
        return batch

    monkeypatch.setattr(Rollouts, "draw", away)
    with pytest.raises(ServerError):
        train_tiny("gad", "broken", *options)
    again = train_tiny("gad", "broken", *options)
    steps = sorted(path.name for path in (again / "checkpoints").iterdir())
    assert steps == ["step-00000002", "step-00000004"]
    assert (weights(again), logged(again)) == (weights(run), logged(run))
    assert same(of_learner(again), of_learner(run))


def test_rollouts_are_scored_before_the_learner_s_own_update(train_tiny, logged):
    """Its head starts at zero, so at the first step nothing earns anything, and nothing moves."""
    first, second, *_ = logged(train_tiny("gad", "run", *ADVERSARIAL))
    assert first["rollouts/judge/mean"] == first["rollouts/judge/std"] == first["grad_norm"] == 0
    assert first["learners/judge/loss"] == pytest.approx(0.693147, abs=1e-6)
    assert first["learners/judge/grad_norm"] > 0
    assert second["rollouts/judge/std"] > 0 and second["grad_norm"] > 0


def test_it_learns_while_no_term_takes_its_rollouts(train_tiny, logged):
    lines = logged(train_tiny("gad", "run", FAST))
    assert all(line["learners/judge/pairs"] == 8 for line in lines)
    assert ["rollouts/judge/mean" in line for line in lines] == [False, False, True, True]
    assert ["preference" in line for line in lines] == [False, False, True, True]


def test_it_learns_to_tell_the_teacher_from_the_policy(train_tiny, logged):
    many = ["training.steps=24", "run.save_every=24", "sampling.max_new_tokens=48"]
    lines = logged(train_tiny("gad", "run", *ADVERSARIAL, "optim.lr=0", *many))
    accuracy = [line["learners/judge/accuracy"] for line in lines]
    loss = [line["learners/judge/loss"] for line in lines]
    assert fmean(accuracy[-6:]) > 0.8 and fmean(loss[-6:]) < 0.5
    assert fmean(accuracy[:2]) < 0.7 and fmean(loss[:2]) > 0.65


def test_cadence_and_number_of_pairs(train_tiny, logged):
    options = ["learners.judge.every=2", "learners.judge.pairs_per_step=3", FAST]
    lines = logged(train_tiny("gad", "run", *options))
    assert [line.get("learners/judge/pairs") for line in lines] == [3, None, 3, None]


def test_a_run_without_a_learner_has_none_of_its_files_nor_figures(train_tiny, logged):
    run = train_tiny("grpo", "run")
    names = {path.name for path in (run / "checkpoints" / "step-00000004").iterdir()}
    assert names == {"manifest.json", "model.safetensors", "optimizer.pt", "state.json"}
    assert not list(run.glob("final-*"))
    assert not [name for line in logged(run) for name in line if "learners" in name]


def test_a_damaged_learner_costs_only_its_steps(
    train_tiny, weights, logged, caplog, back_to_step_2
):
    options = [FAST, "run.save_every=1", "run.keep_checkpoints=3"]
    run = train_tiny("gad", "run", *options)
    expected = weights(run), logged(run)
    back_to_step_2(run)
    (run / "checkpoints/step-00000003/learner-judge.pt").write_bytes(b"\0" * 100)
    with caplog.at_level(logging.INFO, "uniapl"):
        train_tiny("gad", "run", *options)
    assert "step-00000003 is damaged" in caplog.text
    assert (weights(run), logged(run)) == expected


def test_its_final_model_is_a_reward_model_that_others_load_and_start_from(train_tiny, logged):
    from uniapl_cli.discriminators import discriminators

    run = train_tiny("gad", "run", FAST)
    options = discriminators.options("reward_model", against="nothing")
    judge = options.make(str(run / "final-judge"), "cpu")
    said = [Comparison("Say it.", "", text) for text in ("It.", "I will not say that.")]
    assert len(set(judge.score(said))) == 2
    again = train_tiny("gad", "again", *ADVERSARIAL, f"learners.judge.init={run / 'final-judge'}")
    assert logged(again)[0]["rollouts/judge/std"] > 0
    inputs = json.loads((again / "inputs.json").read_text())
    assert inputs["learners.judge.init"]["digest"]


# overrides -> the key that is blamed, what is told
REFUSED = {
    "a learner that is not there": (
        ["rewards.judge.functions.learner.name=juge"],
        "rewards.judge.functions.learner.name",
        "learner",
    ),
    "a learner that nobody reads": (["learners.other={}"], "learners.other", "reads"),
    "an objective that is not of pairs": (
        ["learners.judge.objective=nll"],
        "learners.judge.objective",
        "PairBatch|pairs",
    ),
    "a source without rollouts": (
        ["learners.judge.source=demonstrations"],
        "learners.judge.source",
        "rollouts",
    ),
    "a learning rate below 0": (
        ["learners.judge.optim.lr=-1"],
        "learners.judge.optim.lr",
        "must be in 0 to",
    ),
    "a start that is no reward model": (
        ["learners.judge.init=tiny:base"],
        "learners.judge.init",
        "no reward model",
    ),
    "a name that is no file's": (
        ["rewards.judge.functions.learner.name=a/b", 'learners={"a/b": {}, "judge": null}'],
        "learners",
        "no name",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_mistakes_are_told_before_anything_is_loaded(tiny_config, mistake):
    overrides, key, told = REFUSED[mistake]
    with pytest.raises(UniAPLError, match=told) as caught:
        train(tiny_config("gad", "run", *overrides), dry_run=True)
    assert caught.value.key.startswith(key) and caught.value.where
    assert "\n" not in str(caught.value)


def test_rows_without_any_response_by_the_teacher_are_refused(tiny_config, tiny_data, tmp_path):
    lines = [json.loads(line) for line in tiny_data["few"].read_text().splitlines()]
    bare = [{k: v for k, v in row.items() if k != "response"} for row in lines]
    write_rows(tmp_path / "bare.jsonl", bare)
    config = tiny_config("gad", "run", f"data.prompts={tmp_path / 'bare.jsonl'}")
    with pytest.raises(DataError, match="no row has a 'response'") as caught:
        train(config, dry_run=True)
    assert caught.value.key == "data.prompts" and "teacher-gen" in str(caught.value)


def test_prompts_without_a_response_are_counted(train_tiny, tiny_data, tmp_path, logged):
    lines = [json.loads(line) for line in tiny_data["few"].read_text().splitlines()]
    some = [{**row, "response": None if n % 2 else row["response"]} for n, row in enumerate(lines)]
    some = [{k: v for k, v in row.items() if v is not None} for row in some]
    write_rows(tmp_path / "some.jsonl", some)
    rows = logged(train_tiny("gad", "run", FAST, f"data.prompts={tmp_path / 'some.jsonl'}"))
    counts = [row["learners/judge/prompts_without_teacher"] for row in rows]
    assert 0 < sum(counts) < 8
    for row, bare in zip(rows, counts, strict=True):
        assert row["learners/judge/pairs"] == 8 - 4 * bare
        assert ("learners/judge/loss" in row) == (bare < 2)


FED = (
    "schedules.phase={kind: target, measure: learners/judge/accuracy, target: 0.9, start: 0.5, "
    "values: null, at: null}"
)


def test_a_schedule_may_follow_what_is_logged_of_a_learner(train_tiny, tiny_config, logged):
    values = [line["phase"] for line in logged(train_tiny("gad", "run", FED, FAST))]
    assert values[0] == 0.5 and len(set(values)) > 1
    with pytest.raises(UniAPLError, match="unknown metric 'learners'"):
        tiny_config("sft_then_grpo", "other", FED)


def test_a_plan_says_that_a_learner_comes_on_top(tiny_config):
    lines = plan(tiny_config("gad", "run"))["assumed"]
    assert [line for line in lines if line.startswith("learners.judge comes on top")]
    assert not [line for line in plan(tiny_config("grpo", "run"))["assumed"] if "learner" in line]
