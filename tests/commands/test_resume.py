"""A run that was stopped goes on as if it had not been; another run's folder is refused."""

import json
import logging
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.reads import keys_of_training
from uniapl_cli.commands.run import check_directory
from uniapl_cli.commands.train import train
from uniapl_cli.config.methods import METHODS
from uniapl_cli.config.render import to_yaml
from uniapl_cli.errors import RunError
from uniapl_cli.runs.directory import RunDirectory

ALL = sorted(path.stem for path in METHODS.glob("*.yaml"))
STEPS = [1, 2, 3, 4]

# The most mixed of them in the quick run, all in the whole one.
QUICK = ("unified_dpo",)
EACH = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("method", EACH)
def test_two_and_two_steps_are_four_to_the_bit(method, train_tiny, weights, logged, back_to_step_2):
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
        "rewards.verifier.zero_variance=resample",
        "rewards.verifier.advantage={kind: batch, epsilon: 0.01}",
        "training.num_iterations=2",
        "sources.rollouts.mask_truncated_completions=true",
        "sampling.max_new_tokens=32",
        "terms.preference.reduction=sequence",
        "terms.preference.objective={importance_sampling_level: sequence, clip_high: 0.01}",
    ],
    "agrpo": [
        "rewards.verifier.zero_variance=drop",
        "rewards.verifier.advantage=leave_one_out",
        "rewards.verifier.functions={kl: -0.1, overlong: {buffer: 4}, length: 0}",
        "terms.kl=null",
        "terms.preference.objective.dual_clip=3",
        "terms.preference.reduction=constant",
        "sources.rollouts.micro_batch_tokens=70",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("method", OPTIONS)
def test_with_options_two_and_two_steps_are_four_too(
    method, train_tiny, weights, logged, back_to_step_2
):
    run = train_tiny(method, "run", *OPTIONS[method])
    expected, lines = weights(run), logged(run)
    back_to_step_2(run)
    train_tiny(method, "run", *OPTIONS[method])
    assert weights(run) == expected
    assert logged(run) == lines
    assert all(line["grad_norm"] > 0 for line in lines)
    assert weights(train_tiny(method, "plain")) != expected


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
def test_health_is_told_once_also_over_a_resume(train_tiny, caplog):
    """A warning takes three steps in a row: those after the resume would be enough for another."""
    overrides = ["training.steps=7", "run.save_every=1", "run.keep_checkpoints=9"]

    def warnings_of(name, *more):
        caplog.clear()
        with caplog.at_level(logging.INFO, "uniapl"):
            run = train_tiny("grpo", name, *overrides, *more)
        return run, [line for line in caplog.messages if line.startswith("warning: step")]

    run, [warning] = warnings_of("run")
    assert "step 3" in warning and "sampling.max_new_tokens" in warning
    shutil.rmtree(run / "final")
    for step in range(4, 8):
        shutil.rmtree(run / "checkpoints" / f"step-{step:08d}")
    assert warnings_of("run")[1] == []
    assert warnings_of("quiet", "run.health=false")[1] == []


@pytest.mark.slow
def test_the_anchors_cache_changes_no_bit(
    tiny_data, train_tiny, weights, logged, monkeypatch, back_to_step_2
):
    """Each step is an epoch: later ones read the cache, and a resume starts with an empty one."""
    monkeypatch.setattr("uniapl_cli.discriminators.polar.scorer.LONG", 20)
    overrides = [f"data.prompts={tiny_data['eight']}", "sources.rollouts.prompts_per_step=8"]
    overrides += ["schedules.lambda_adv=1", "rewards.anchor.functions.coef.centre=true"]
    run = train_tiny("agrpo", "run", *overrides, "discriminator.cache_mb=64")
    expected, lines = weights(run), logged(run)
    assert weights(train_tiny("agrpo", "other", *overrides, "discriminator.cache_mb=0")) == expected
    back_to_step_2(run)
    train_tiny("agrpo", "run", *overrides, "discriminator.cache_mb=1")
    assert weights(run) == expected
    assert logged(run) == lines


def test_a_torn_last_line_of_the_metrics_is_written_anew(train_tiny, logged, back_to_step_2):
    run = train_tiny("sft", "run")
    expected = logged(run)
    back_to_step_2(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    train_tiny("sft", "run")
    assert logged(run) == expected


def test_a_damaged_checkpoint_is_reported_and_costs_only_its_steps(
    train_tiny, weights, logged, caplog, back_to_step_2
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


def test_changed_data_are_refused_when_a_run_goes_on(
    train_tiny, tiny_data, tmp_path, back_to_step_2
):
    own = tmp_path / "own.jsonl"
    shutil.copy(tiny_data["few"], own)
    overrides = f"data.demonstrations={own}"
    run = train_tiny("sft", "run", overrides)
    back_to_step_2(run)
    own.write_text("".join(own.read_text().splitlines(True)[:-1]))
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", overrides)
    assert (caught.value.key, caught.value.got) == ("data.demonstrations", str(own))


# What may have another value when a run goes on.
MAY_CHANGE = (
    *("run.save_every=1", "run.log_every=2", "run.keep_checkpoints=1", "run.health=false"),
    *("run.sample_every=1", "run.gradients_every=1", "run.threads=1", "run.device=cpu"),
    *("training.micro_batch_tokens=1", "sources.rollouts.micro_batch_tokens=70"),
    *("generation.batch_tokens=500", "discriminator.batch_tokens=500"),
    *("discriminator.cache_mb=1", "discriminator.share_prefixes=false", "sandbox.workers=1"),
)


def test_what_decides_no_result_may_change_over_a_resume(train_tiny, logged, back_to_step_2):
    """A run that ran out of memory goes on in smaller batches."""
    run = train_tiny("agrpo", "run")
    back_to_step_2(run)
    train_tiny("agrpo", "run", *MAY_CHANGE)
    assert [line["step"] for line in logged(run)] == [1, 2, 4]
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000004"]


# override -> the key of the difference that is told, if it is another one
REFUSED = {
    "seed=1": None,
    "optim.lr=0.1": "optim.lr.value",
    "optim.lr={kind: cosine, peak: 0.1, value: null}": "optim.lr.kind",
    "optim.weight_decay=0.1": None,
    "training.num_iterations=2": None,
    "rewards.verifier.functions.verifier.weight=2": None,
    "rewards.anchor.functions.length=0.1": "rewards.anchor.functions.length",
    "discriminator={kind: embedding, path: tiny:base}": "discriminator.kind",
    "sources.rollouts.num_generations=2": None,
    "sources.rollouts.prompts_per_step=3": None,
    "schedules.lambda_adv=0.5": "schedules.lambda_adv.value",
    "terms.kl=null": "terms.kl",
    "terms.preference.objective.clip_high=0.5": None,
    "sampling.temperature=0.5": None,
    "data.prompts=others.jsonl": None,
    "model.adapter={}": "model.adapter",
}


@pytest.fixture
def begun(tiny_config, tmp_path):
    """begun(method): the folder of a run of it that has just begun."""

    def make(method):
        run = RunDirectory(tmp_path / "run")
        run.path.mkdir(exist_ok=True)
        run.write("config.yaml", to_yaml(tiny_config(method, "run")))
        return run

    return make


def check(run, config):
    check_directory(run, config, keys_of_training(config, plan(config)))


@pytest.mark.parametrize("override", REFUSED)
def test_what_decides_results_may_not(begun, tiny_config, override):
    run = begun("agrpo")
    check(run, tiny_config("agrpo", "run"))
    with pytest.raises(RunError) as caught:
        check(run, tiny_config("agrpo", "run", override))
    assert caught.value.key == "run.dir"
    keys = [line.partition(": ")[0] for line in caught.value.got]
    assert (REFUSED[override] or override.partition("=")[0]) in keys


def test_a_source_that_was_left_to_its_defaults_may_have_them_written_down(begun, tiny_config):
    """A source's entry is made by its first key; what is not in it is the default as before."""
    run = begun("asft")
    own = "sources.demonstration_rollouts"
    check(run, tiny_config("asft", "run", f"{own}.micro_batch_tokens=1"))
    with pytest.raises(RunError) as caught:
        check(run, tiny_config("asft", "run", f"{own}.num_generations=5"))
    assert caught.value.got == [f"{own}.num_generations: 2 -> 5"]


# What an older version wrote.
OLD = "seed: 0\nmethod: sft\ntraining: {steps: 4, demonstrations: 4, micro_batch_size: 3}\n"


def test_a_run_of_an_older_version_is_refused(tiny_config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(OLD)
    before = sorted((tmp_path / "run").iterdir())
    for dry_run in (True, False):
        with pytest.raises(RunError) as caught:
            train(tiny_config("sft", "run"), dry_run=dry_run)
        assert caught.value.key == "run.dir"
        assert caught.value.where == f"override 'run.dir={tmp_path / 'run'}'"
    assert sorted((tmp_path / "run").iterdir()) == before


def test_the_program_refuses_it_in_one_line(tmp_path, tiny_data):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(OLD)
    overrides = ["model.path=tiny:base", "training.steps=4", f"run.dir={tmp_path / 'run'}"]
    result = CliRunner().invoke(
        app, ["train", "sft", f"data.demonstrations={tiny_data['few']}", *overrides]
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert str(tmp_path / "run") in result.stderr


def without_version(path: Path) -> None:
    """Take the version out of a file of JSON lines."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [{name: value for name, value in row.items() if name != "version"} for row in lines]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_checkpoints_and_metrics_of_an_older_version_are_refused(train_tiny, back_to_step_2):
    run = train_tiny("sft", "run")
    back_to_step_2(run)
    whole = (run / "metrics.jsonl").read_text()
    without_version(run / "metrics.jsonl")
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run")
    assert (caught.value.file, caught.value.line) == (str(run / "metrics.jsonl"), 1)
    assert (caught.value.got, caught.value.allowed) == (None, ("2",))
    (run / "metrics.jsonl").write_text(whole)
    checkpoint = run / "checkpoints" / "step-00000002"
    without_version(checkpoint / "state.json")
    sums = json.loads((checkpoint / "manifest.json").read_text())
    sums["state.json"] = sha256((checkpoint / "state.json").read_bytes()).hexdigest()
    (checkpoint / "manifest.json").write_text(json.dumps(sums))
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run")
    assert (caught.value.got, caught.value.allowed) == (None, ("2", "3"))
    assert str(checkpoint) in caught.value.problem
