"""Whole short runs: what is refused before anything is written, and how a run goes on."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from uniapl_cli.build.run import open_run
from uniapl_cli.build.training import train
from uniapl_cli.cli.session import METHODS
from uniapl_cli.errors import ConfigError, DataError, RunError, TrainingError
from uniapl_cli.files import write_rows
from uniapl_cli.runs.directory import RunDirectory

ALL = sorted(path.stem for path in METHODS.glob("*.yaml"))
STEPS = [1, 2, 3, 4]


def back_to_step_2(folder):
    """Make a finished run look like one that was killed after the checkpoint of step 2."""
    shutil.rmtree(folder / "final")
    shutil.rmtree(folder / "checkpoints" / "step-00000004")


# The most mixed of them in the quick run, all in the whole one.
QUICK = ("unified_dpo",)
EACH = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("method", EACH)
def test_two_and_two_steps_are_four_to_the_bit(method, train_tiny, weights, logged):
    run = train_tiny(method, "run")
    expected, lines = weights(run), logged(run)
    back_to_step_2(run)
    train_tiny(method, "run")
    assert weights(run) == expected
    assert logged(run) == lines
    assert [line["step"] for line in lines] == STEPS


# Options that carry something from one place of the loop to another.
OPTIONS = {
    "grpo": [
        "signals.verifier.zero_variance=resample",
        "signals.verifier.advantage={kind: batch, epsilon: 0.01}",
        "training.inner_epochs=2",
        "training.mask_truncated_completions=true",
        "sampling.max_new_tokens=32",
        "terms.preference.reduction=sequence",
        "terms.preference.params={importance_sampling_level: sequence, clip_high: 0.01}",
    ],
    "agrpo": [
        "signals.verifier.zero_variance=drop",
        "signals.verifier.advantage=leave_one_out",
        "signals.verifier.scores={kl: {weight: -0.1}, overlong: {buffer: 4}, length: {weight: 0}}",
        "terms.kl=null",
        "terms.preference.params.dual_clip=3",
        "terms.preference.reduction=constant",
        "training.micro_batch_sizes={rollouts: 2}",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("method", OPTIONS)
def test_with_options_two_and_two_steps_are_four_too(method, train_tiny, weights, logged):
    run = train_tiny(method, "run", *OPTIONS[method])
    expected, lines = weights(run), logged(run)
    back_to_step_2(run)
    train_tiny(method, "run", *OPTIONS[method])
    assert weights(run) == expected
    assert logged(run) == lines
    assert all(line["grad_norm"] > 0 for line in lines)
    assert weights(train_tiny(method, "plain")) != expected


def test_inner_epochs_are_further_updates(train_tiny, weights):
    one, two = (train_tiny("sft", str(n), f"training.inner_epochs={n}") for n in (1, 2))
    assert weights(one) != weights(two)


def test_the_terms_gradients_are_reported_when_due(train_tiny, logged):
    lines = logged(train_tiny("grpo", "run", "run.gradients_every=2"))
    told = [{name for name in line if name.startswith("gradients/")} for line in lines]
    due = {"gradients/preference", "gradients/kl", "gradients/cosine/preference~kl"}
    assert told[0] == told[2] == set()
    assert due >= told[1] >= {"gradients/preference"}


NOTHING = ["signals.verifier.scores={verifier: null, length: {weight: 0}}", "terms.kl=null"]


def test_a_run_with_nothing_to_learn_ends_and_says_why(train_tiny):
    with pytest.raises(TrainingError, match="exactly 0 for 3 updates in a row, up to step 3. All"):
        train_tiny("grpo", "run", *NOTHING, "training.max_idle_updates=3")


@pytest.mark.slow
def test_health_is_told_once_also_over_a_resume(train_tiny, caplog):
    """A note takes three steps in a row: those after the resume would be enough for another."""
    given = ["training.steps=7", "run.save_every=1", "run.keep_checkpoints=9"]
    with caplog.at_level(logging.INFO, "uniapl"):
        run = train_tiny("grpo", "run", *given)
        assert caplog.text.count("note: step 3: 'preference' reads") == 1
        caplog.clear()
        shutil.rmtree(run / "final")
        for step in range(4, 8):
            shutil.rmtree(run / "checkpoints" / f"step-{step:08d}")
        train_tiny("grpo", "run", *given)
        assert "resuming after step 3" in caplog.text
        assert "note:" not in caplog.text
        caplog.clear()
        train_tiny("grpo", "quiet", *given, "run.health=false")
        assert "note:" not in caplog.text


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ("{rollout: 2}", "training.micro_batch_sizes: unknown source 'rollout'. Did you mean"),
        ("{rollouts: 0}", "training.micro_batch_sizes.rollouts = 0: 1 is the least"),
    ],
)
def test_micro_batches_are_of_sources_that_there_are(tiny_config, sizes, said):
    config = tiny_config("grpo", "run", f"training.micro_batch_sizes={sizes}")
    with pytest.raises(ConfigError) as caught:
        train(config)
    assert said in str(caught.value)


@pytest.mark.slow
def test_what_the_anchor_remembers_changes_no_bit(
    tiny_data, train_tiny, weights, logged, monkeypatch
):
    """Each step is an epoch: what the first computes, the others may remember, a resume not."""
    monkeypatch.setattr("uniapl_cli.discriminators.scorer.LONG", 20)
    given = [f"data.prompts={tiny_data['eight']}", "training.prompts=8", "schedules.lambda_adv=1"]
    given += ["signals.anchor.scores.coef.centre=true"]
    run = train_tiny("agrpo", "run", *given, "discriminator.cache_mb=64")
    expected, lines = weights(run), logged(run)
    assert weights(train_tiny("agrpo", "other", *given, "discriminator.cache_mb=0")) == expected
    back_to_step_2(run)
    train_tiny("agrpo", "run", *given, "discriminator.cache_mb=1")
    assert weights(run) == expected
    assert logged(run) == lines


@pytest.mark.slow
def test_two_and_two_steps_are_not_just_two(train_tiny, weights):
    """The comparison above would be empty if the last two steps changed nothing."""
    run = train_tiny("unified", "run")
    final = weights(run)
    assert (run / "checkpoints/step-00000004/model.safetensors").read_bytes() != (
        run / "checkpoints/step-00000002/model.safetensors"
    ).read_bytes()
    assert final != weights(train_tiny("unified", "other", "seed=1"))


@pytest.mark.slow
def test_the_same_run_twice_is_the_same_to_the_bit(train_tiny, weights):
    assert weights(train_tiny("unified", "a")) == weights(train_tiny("unified", "b"))


def test_what_a_run_leaves_behind(train_tiny, logged):
    run = train_tiny("unified", "run", "run.sample_every=2", "run.log_every=2")
    left = {path.name for path in run.iterdir()} - {".lock"}
    assert left == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "samples.jsonl",
        "checkpoints",
        "final",
    }
    assert [line["step"] for line in logged(run)] == [2, 4]
    samples = [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]
    assert {(row["step"], row["source"]) for row in samples} == {
        (step, source) for step in (2, 4) for source in ("rollouts", "demonstration_rollouts")
    }


def test_the_final_model_loads_and_is_the_last_checkpoint(train_tiny):
    from safetensors.torch import load_file

    from uniapl_cli.training.learner import load_policy

    run = train_tiny("sft", "run")
    last = load_file(run / "checkpoints" / "step-00000004" / "model.safetensors")
    final = load_policy(run / "final", "cpu").model.state_dict()
    assert all(value.equal(final[name]) for name, value in last.items())


def test_a_finished_run_is_not_trained_again(train_tiny, tiny_config, weights):
    run = train_tiny("sft", "run")
    before = weights(run), (run / "metrics.jsonl").read_text()
    shutil.rmtree(run / "checkpoints")
    result = train(tiny_config("sft", "run"))
    assert result["last"]["step"] == 4
    assert (weights(run), (run / "metrics.jsonl").read_text()) == before


def test_a_torn_last_line_of_the_metrics_is_written_anew(train_tiny, logged):
    run = train_tiny("sft", "run")
    expected = logged(run)
    back_to_step_2(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    train_tiny("sft", "run")
    assert logged(run) == expected


def test_a_damaged_checkpoint_is_reported_and_costs_only_its_steps(
    train_tiny, weights, logged, caplog
):
    run = train_tiny("sft", "run", "run.save_every=1", "run.keep_checkpoints=3")
    expected, lines = weights(run), logged(run)
    back_to_step_2(run)
    (run / "checkpoints/step-00000003/optimizer.pt").write_bytes(b"\0" * 100)
    with caplog.at_level(logging.INFO, "uniapl"):
        train_tiny("sft", "run", "run.save_every=1", "run.keep_checkpoints=3")
    assert "step-00000003 is damaged" in caplog.text
    assert "resuming after step 2" in caplog.text
    assert (weights(run), logged(run)) == (expected, lines)


def test_a_dry_run_computes_and_writes_nothing(tiny_config):
    config = tiny_config("unified", "run", "model.path=/nowhere")
    said = train(config, dry_run=True)
    assert said["data"] == {"demonstrations": 32, "prompts": 32}
    assert said["terms"]["adversarial_sft"] == 0.5
    assert not Path(config.run.dir).exists()


def test_another_config_is_refused_in_the_same_folder(train_tiny):
    train_tiny("sft", "run")
    with pytest.raises(RunError, match="holds a run of another config .*lr.*: set another run.dir"):
        train_tiny("sft", "run", "optim.lr=0.1")


def test_how_often_is_saved_and_shown_is_no_other_config(train_tiny):
    run = train_tiny("sft", "run")
    back_to_step_2(run)
    train_tiny("sft", "run", "run.save_every=1", "run.log_every=1", "run.keep_checkpoints=1")
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000004"]


def test_a_run_that_ran_out_of_memory_goes_on_in_smaller_batches(train_tiny, logged):
    run = train_tiny("agrpo", "run")
    back_to_step_2(run)
    sizes = ["training.micro_batch_size=1", "training.micro_batch_sizes={rollouts: 2}"]
    sizes += ["generation.batch_tokens=500", "discriminator.batch_tokens=500"]
    train_tiny("agrpo", "run", *sizes)
    assert [line["step"] for line in logged(run)] == STEPS


def test_a_folder_of_something_else_is_refused(train_tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("")
    with pytest.raises(RunError, match="is not empty and holds no run: choose another run.dir"):
        train_tiny("sft", "run")


def test_two_processes_do_not_train_into_one_folder(train_tiny, tiny_config, tmp_path):
    holder = RunDirectory(tmp_path / "run")
    open_run(holder, tiny_config("sft", "run"))
    with pytest.raises(RunError, match="another process is training into"):
        train_tiny("sft", "run")


def test_changed_data_are_refused_when_a_run_goes_on(train_tiny, tiny_data, tmp_path):
    own = tmp_path / "own.jsonl"
    shutil.copy(tiny_data["few"], own)
    given = f"data.demonstrations={own}"
    run = train_tiny("sft", "run", given)
    back_to_step_2(run)
    own.write_text("".join(own.read_text().splitlines(True)[:-1]))
    with pytest.raises(RunError, match="had 32 rows .* and has 31 now"):
        train_tiny("sft", "run", given)


REFUSED = {
    "steps": ("sft", ["training.steps=0"], "training.steps = 0: 1 is the least"),
    "samples": ("grpo", ["training.samples=0"], "training.samples = 0: 1 is the least"),
    "saving": ("sft", ["run.save_every=0"], "run.save_every = 0: 1 is the least"),
    "greedy rollouts": ("grpo", ["sampling.temperature=0"], "rollouts must be drawn from"),
    "cut rollouts": ("grpo", ["sampling.top_p=0.9"], "rollouts must be drawn from"),
    "no data": ("sft", ["data.demonstrations=null"], "data.demonstrations is not set, and term"),
    "no file": ("sft", ["data.demonstrations=none.jsonl"], "no such file: 'none.jsonl'"),
    "no method": ("sft", ["terms.imitation=null"], "no terms: nothing to train"),
}


@pytest.mark.parametrize(("method", "overrides", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tiny_config, method, overrides, said
):
    config = tiny_config(method, "run", *overrides)
    with pytest.raises((ConfigError, DataError)) as caught:
        train(config)
    assert said in str(caught.value)
    assert not Path(config.run.dir).exists()


ROW = {"key": "x", "prompt": "Write about the sea.", "instruction_id_list": [], "kwargs": []}
CONSTRAINED = {**ROW, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
LACKING = {
    "an answer to imitate": ("sft", "demonstrations", CONSTRAINED, "no 'response' by the teacher"),
    "an answer to compare": ("agrpo", "prompts", CONSTRAINED, "no 'response' by the teacher"),
    "constraints": ("grpo", "prompts", {**ROW, "response": "a"}, "no constraints, so term"),
}


@pytest.mark.parametrize(("method", "kind", "row", "said"), LACKING.values(), ids=LACKING)
def test_a_row_that_lacks_what_the_method_needs_is_named(
    tiny_config, tmp_path, method, kind, row, said
):
    write_rows(tmp_path / "rows.jsonl", [{**CONSTRAINED, "response": "a"}, row])
    with pytest.raises(DataError, match=f"rows.jsonl:2: {said}"):
        train(tiny_config(method, "run", f"data.{kind}={tmp_path / 'rows.jsonl'}"))


def test_a_method_that_never_draws_prompts_needs_none(train_tiny):
    train_tiny("unified", "run", "schedules.alpha=1", "data.prompts=null")


def test_a_method_without_an_anchor_needs_no_discriminator(train_tiny):
    train_tiny("grpo", "run", "discriminator.path=null")
    with pytest.raises(ConfigError, match="needs a discriminator: set discriminator.path"):
        train_tiny("agrpo", "other", "discriminator.path=null")
