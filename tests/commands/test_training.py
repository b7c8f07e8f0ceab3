"""Whole short runs: what they leave behind, and what is refused before anything is written."""

import json
import shutil

import pytest

from uniapl_cli.commands.train import train
from uniapl_cli.errors import TrainingError, UniAPLError
from uniapl_cli.files import write_rows
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training import optim


def test_what_a_run_leaves_behind(train_tiny, logged):
    run = train_tiny("unified", "run", "run.sample_every=2", "run.log_every=2")
    left = {path.name for path in run.iterdir()} - {".lock"}
    assert left == {
        "config.yaml",
        "environment.json",
        "inputs.json",
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

    from uniapl_cli.training.policy import load_policy

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


def test_iterations_are_further_updates(train_tiny, weights):
    one, two = (train_tiny("sft", str(n), f"training.num_iterations={n}") for n in (1, 2))
    assert weights(one) != weights(two)


def test_the_terms_gradients_are_reported_when_due(train_tiny, logged):
    lines = logged(train_tiny("grpo", "run", "run.gradients_every=2"))
    reported = [{name for name in line if name.startswith("gradients/")} for line in lines]
    due = {"gradients/preference", "gradients/kl", "gradients/cosine/preference~kl"}
    assert reported[0] == reported[2] == set()
    assert due >= reported[1] >= {"gradients/preference"}


def test_a_run_with_nothing_to_learn_ends_and_says_why(train_tiny):
    nothing = "rewards.verifier.functions={verifier: null, length: 0}"
    with pytest.raises(TrainingError) as caught:
        train_tiny("grpo", "run", nothing, "terms.kl=null", "training.max_idle_updates=3")
    assert caught.value.got == 3 and "step 3" in caught.value.problem


@pytest.mark.slow
def test_the_same_run_twice_is_the_same_to_the_bit(train_tiny, weights):
    assert weights(train_tiny("unified", "a")) == weights(train_tiny("unified", "b"))


def test_two_processes_do_not_train_into_one_folder(train_tiny, tmp_path):
    holder = RunDirectory(tmp_path / "run")
    holder.open()
    with pytest.raises(UniAPLError) as caught:
        train_tiny("sft", "run")
    assert (caught.value.key, caught.value.got) == ("run.dir", str(tmp_path / "run"))


def test_a_folder_of_something_else_is_refused(train_tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("")
    with pytest.raises(UniAPLError) as caught:
        train_tiny("sft", "run")
    assert caught.value.key == "run.dir"


@pytest.mark.parametrize("left", ["best/best.json", "validation.jsonl", "final/config.json"])
def test_what_a_run_of_another_config_has_left_is_not_taken_over(left, train_tiny, tmp_path):
    for name in (".lock", left):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).touch()
    with pytest.raises(UniAPLError) as caught:
        train_tiny("sft", "run")
    assert caught.value.key == "run.dir"


def test_a_dry_run_tells_that_an_optimisers_package_is_missing(tiny_config, monkeypatch):
    monkeypatch.setattr(optim, "find_spec", lambda name: None)
    with pytest.raises(UniAPLError) as caught:
        train(tiny_config("sft", "run", "optim.kind=adamw8bit"), dry_run=True)
    assert caught.value.key == "optim.kind"


# method, overrides -> the key at fault
REFUSED = {
    "greedy rollouts": ("grpo", ["sampling.temperature=0"], "sampling.temperature"),
    "no data": ("sft", ["data.demonstrations=null"], "data.demonstrations"),
    "no file": ("sft", ["data.demonstrations=none.jsonl"], "data.demonstrations"),
    "no method": ("sft", ["terms.imitation=null"], "terms"),
    "no layer": ("sft", ["model.adapter.targets=[q_prjo]"], "model.adapter"),
    "no device": ("sft", ["run.device=cuda:99"], "run.device"),
    "a rate below 0": (
        "sft", ["optim.lr={kind: linear, start: 1, end: -1, value: null}"], "optim.lr",
    ),
    "another command's source": (
        "sft", ["terms.more={source: comparisons, objective: bradley_terry}"], "terms.more.source",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "overrides", "key"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tiny_config, tmp_path, method, overrides, key
):
    with pytest.raises(UniAPLError) as caught:
        train(tiny_config(method, "run", *overrides))
    assert caught.value.key == key
    assert caught.value.where is None or "override" in caught.value.where
    assert not (tmp_path / "run").exists()


ROW = {"key": "x", "prompt": "Write about the sea.", "instruction_id_list": [], "kwargs": []}
CONSTRAINED = {**ROW, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
LACKING = {
    "an answer to imitate": ("sft", "demonstrations", CONSTRAINED),
    "an answer to compare": ("agrpo", "prompts", CONSTRAINED),
    "constraints": ("grpo", "prompts", {**ROW, "response": "a"}),
}


@pytest.mark.parametrize(("method", "data", "row"), LACKING.values(), ids=LACKING)
def test_a_row_that_lacks_what_the_method_needs_is_named(tiny_config, tmp_path, method, data, row):
    write_rows(tmp_path / "rows.jsonl", [{**CONSTRAINED, "response": "a"}, row])
    with pytest.raises(UniAPLError) as caught:
        train(tiny_config(method, "run", f"data.{data}={tmp_path / 'rows.jsonl'}"))
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "rows.jsonl"), 2)


def test_a_method_that_never_draws_prompts_needs_none(train_tiny):
    train_tiny("unified", "run", "schedules.alpha=1", "data.prompts=null")


def test_a_method_without_an_anchor_needs_no_discriminator(train_tiny):
    assert (train_tiny("grpo", "run", "discriminator=null") / "final").is_dir()
    with pytest.raises(UniAPLError) as caught:
        train_tiny("agrpo", "other", "discriminator=null")
    assert caught.value.key == "discriminator.path"
