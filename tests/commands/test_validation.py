"""Validation while a run trains: what it measures, and that training does not notice it."""

import json
import os
import random
import shutil
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands import validating, validation_rows
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.plan import plan
from uniapl_cli.commands.status import status
from uniapl_cli.commands.train import train
from uniapl_cli.commands.validation import validation_inputs
from uniapl_cli.errors import ConfigError, RunError
from uniapl_cli.figures.curves import curves
from uniapl_cli.figures.runs import read_runs
from uniapl_cli.runs.signals import Stopped

EVERY = "validation.every=1"
TWICE = "validation.benchmarks={prompts: {kind: ifeval}}"
BEST = "validation.best=demonstrations/loss"
NAMES = {
    "prompts/prompt_strict",
    "prompts/length",
    "demonstrations/loss",
    "demonstrations/perplexity",
}


@pytest.fixture
def held(tiny_data):
    """held(*more): overrides that measure six held-out rows before, between and behind steps."""
    other = tiny_data["others"]
    files = [f"validation.prompts={other}", f"validation.demonstrations={other}"]
    return lambda *more: [EVERY, *files, "validation.limit=6", *more]


@pytest.fixture(scope="session")
def validated():
    """validated(run's folder): the lines of validation.jsonl, without how long they took."""

    def read(folder):
        lines = (folder / "validation.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    return read


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_training_does_not_notice_it(method, train_tiny, held, weights, logged, validated):
    drawn = "validation.sampling={temperature: 1.0, max_new_tokens: 8}"
    with_it = train_tiny(method, "with", *held(drawn, BEST))
    without = train_tiny(method, "without")
    assert weights(with_it) == weights(without)
    assert logged(with_it) == logged(without)
    rows = validated(with_it)
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]
    assert all(row.keys() >= NAMES for row in rows)
    assert len({row["demonstrations/loss"] for row in rows}) == len(rows)
    assert not (without / "validation.jsonl").exists()


def test_what_draws_in_it_moves_no_random_state(train_tiny, held, monkeypatch):
    """Training draws from no global state, so that all validations find the same one."""
    states, evaluated, validated = [], validating.evaluate, validating.Reporter.validated

    def drawing(*arguments):
        torch.rand(1), random.random(), np.random.rand()
        return evaluated(*arguments)

    def noting(self, step, row):
        state = random.getstate(), np.random.get_state()[1].tolist()
        states.append((*state, torch.get_rng_state().tolist()))
        validated(self, step, row)

    monkeypatch.setattr(validating, "evaluate", drawing)
    monkeypatch.setattr(validating.Reporter, "validated", noting)
    train_tiny("sft", "run", *held("validation.every=4"))
    assert len(states) == 2 and states[0] == states[1]


def test_the_last_step_is_measured_too(train_tiny, held, validated):
    run = train_tiny("sft", "run", *held("validation.every=3"))
    assert [row["step"] for row in validated(run)] == [0, 3, 4]


def test_eval_of_the_best_model_finds_the_same_figures(train_tiny, tiny_data, held, tmp_path):
    benchmark = json.dumps({"ifeval": {"data": str(tiny_data["eight"])}})
    sampling = "{temperature: 0.7, max_new_tokens: 8}"
    run = train_tiny(
        "sft",
        "run",
        *held("validation.samples=2", f"validation.benchmarks={benchmark}"),
        *(f"validation.sampling={sampling}", "validation.best=ifeval/prompt_strict"),
    )
    best = json.loads((run / "best" / "best.json").read_text())
    rows = [json.loads(line) for line in (run / "validation.jsonl").read_text().splitlines()]
    row = rows[best["step"]]
    assert best["value"] == max(one["ifeval/prompt_strict"] for one in rows)
    overrides = [f"eval.model={run / 'best'}", f"eval.out={tmp_path / 'out'}", "eval.limit=6"]
    overrides += [f"eval.data={tiny_data['others']}", f"eval.benchmarks={benchmark}"]
    draw = f"{{samples: 2, sampling: {sampling}}}"
    overrides += [f"eval.draws={{greedy: null, validation: {draw}}}"]
    result = evaluate(load_config(None, overrides))
    own = {f"prompts/{n}": found["mean"] for n, found in result["draws"]["validation"].items()}
    marks = result["benchmarks"]["ifeval"]["draws"]["validation"]["metrics"]
    own |= {f"ifeval/{name}": found["mean"] for name, found in marks.items()}
    assert own == {name: row[name] for name in own}


@pytest.mark.parametrize("gone", [pytest.param("best", marks=pytest.mark.slow), None])
def test_a_best_of_a_later_step_comes_out_the_same(
    gone, train_tiny, held, weights, validated, back_to_step_2
):
    """The best step is 3 or 4 and the run goes on from 2; `gone`: a kill took the folder too."""
    run = train_tiny("sft", "run", *held("validation.best=demonstrations/loss"), "optim.lr=1e-4")
    expected, rows, best = weights(run), validated(run), files_of(run / "best")
    assert json.loads(best["best.json"])["step"] > 2
    back_to_step_2(run)
    if gone:
        shutil.rmtree(run / gone)
    train_tiny("sft", "run", *held("validation.best=demonstrations/loss"), "optim.lr=1e-4")
    assert weights(run) == expected
    assert validated(run) == rows
    assert files_of(run / "best") == best


@pytest.mark.slow
def test_a_kill_between_the_best_model_and_its_row(train_tiny, held, validated, monkeypatch):
    """The folder stands, the row does not: both come out as in a run that nothing stopped."""
    whole = train_tiny("sft", "whole", *held(BEST))
    real = validating.Reporter.validated

    def torn(self, step, row):
        if step == 2:
            raise KeyboardInterrupt
        real(self, step, row)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(validating.Reporter, "validated", torn)
        train_tiny("sft", "run", *held(BEST))
    run = train_tiny("sft", "run", *held(BEST))
    assert validated(run) == validated(whole)
    for name in ("model.safetensors", "best.json"):
        assert (run / "best" / name).read_bytes() == (whole / "best" / name).read_bytes()


def test_a_signal_in_the_middle_of_it_costs_that_validation_alone(
    train_tiny, held, weights, validated, logged, monkeypatch
):
    whole = train_tiny("grpo", "whole", *held())
    real, calls = validating.evaluate, []

    def signalled(*arguments):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(validating, "evaluate", signalled)
        train_tiny("grpo", "run", *held(), "run.save_every=4")
    run = whole.with_name("run")
    assert [row["step"] for row in validated(run)] == [0, 1]
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000002"]
    train_tiny("grpo", "run", *held(), "run.save_every=4")
    assert (weights(run), logged(run), validated(run)) == (
        weights(whole),
        logged(whole),
        validated(whole),
    )


def test_held_out_rows_are_inputs_of_the_run(train_tiny, held, tiny_data, tmp_path, back_to_step_2):
    own = tmp_path / "own.jsonl"
    shutil.copy(tiny_data["others"], own)
    named = f"validation.demonstrations={own}"
    run = train_tiny("sft", "run", *held(named))
    back_to_step_2(run)
    own.write_text("".join(own.read_text().splitlines(True)[:-1]))
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", *held(named))
    assert (caught.value.key, caught.value.got) == ("validation.demonstrations", str(own))


@pytest.mark.parametrize(
    "changed", ["validation.every=2", "validation.every=null", "validation.limit=5", BEST]
)
def test_another_section_is_another_run(changed, train_tiny, held, back_to_step_2):
    back_to_step_2(train_tiny("sft", "run", *held()))
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", *held(changed))
    assert caught.value.got[0].startswith(changed.partition("=")[0])


@pytest.mark.slow
def test_pairs_are_measured_by_the_term_that_learns_from_such(
    train_tiny, tiny_data, held, validated, logged
):
    run = train_tiny(
        "dpo",
        "run",
        *held(f"validation.preferences={tiny_data['pairs']}", "validation.limit=null"),
        *("sources.choices.rows_per_step=32", "training.micro_batch_tokens=2000"),
        "validation.best=preferences/accuracy",
    )
    first, *rest = validated(run)
    assert first["preferences/loss"] == pytest.approx(0.6931, abs=1e-4)
    # Each step reads all 32 pairs before its update, as the validation before it does.
    for row, line in zip([first, *rest], logged(run), strict=False):
        for name in ("accuracy", "margin"):
            assert row[f"preferences/{name}"] == pytest.approx(line[f"preference/{name}"], abs=1e-5)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["validation.best=loss"], "validation.best"),
        ([EVERY, "validation.prompts=null"], "validation.every"),
        (["validation.every=1", "validation.preferences=pairs"], "validation.preferences"),
        (["validation.every=1", TWICE], "validation.benchmarks.prompts"),
        (["prompts", "validation.best=prompts/promt_strict"], "validation.best"),
        (["prompts", "validation.best=prompts/length"], "validation.best"),
        (["prompts", "validation.best=demonstrations/loss"], "validation.best"),
    ],
)
def test_what_cannot_come_is_refused_before_the_first_step(overrides, key, tiny_config, tiny_data):
    files = {"prompts": [EVERY, f"validation.prompts={tiny_data['others']}"]}
    given = [o for name in overrides for o in files.get(name, [name])]
    with pytest.raises(ConfigError) as caught:
        train(tiny_config("sft", "run", *given), dry_run=True)
    assert caught.value.key == key
    if "prompts" in overrides:
        assert "prompts/prompt_strict" in caught.value.allowed
        assert "prompts/length" not in caught.value.allowed


def test_a_dry_run_counts_rows_and_those_that_are_trained_on(tiny_config, tiny_data, held, caplog):
    told = train(tiny_config("sft", "run", *held()), dry_run=True)["validation"]
    assert told["times"] == 5
    assert told["rows"] == {"prompts": 6, "demonstrations": 6}
    few = f"validation.prompts={tiny_data['few']}"
    told = train(tiny_config("sft", "run", *held(few)), dry_run=True)["validation"]
    [(name, count)] = told["rows that share words with the training rows"].items()
    assert (name, count) == ("prompts", 6)
    assert any("training rows" in message for message in caplog.messages)


def test_bad_rows_are_named_and_the_comparison_with_training_shows_how_far_it_is(
    tiny_config, tiny_data, held, tmp_path, caplog, monkeypatch
):
    shown, real = [], validation_rows.bar

    def noted(title, total):
        shown.append((title, total))
        return real(title, total)

    monkeypatch.setattr(validation_rows, "bar", noted)
    own = tmp_path / "own.jsonl"
    own.write_text("{\n" + tiny_data["others"].read_text())
    bad = ["data.tolerance=1", f"data.bad_rows={tmp_path / 'bad.jsonl'}"]
    rows = train(tiny_config("sft", "run", *held(f"validation.prompts={own}"), *bad), dry_run=True)[
        "data"
    ]["demonstrations"]
    assert any(f"{own}:1" in message for message in caplog.messages)
    assert shown == [(f"compare {n} with training", rows) for n in ("prompts", "demonstrations")]


def test_final_dtype_and_card_are_those_of_the_final_model(train_tiny, held):
    from safetensors.torch import load_file

    run = train_tiny("sft", "run", *held(BEST), "run.final_dtype=bfloat16")
    kinds = {str(t.dtype) for t in load_file(run / "best" / "model.safetensors").values()}
    assert kinds == {"torch.bfloat16"}
    step = json.loads((run / "best" / "best.json").read_text())["step"]
    assert f"## Validation of step {step}\n" in (run / "best" / "README.md").read_text()
    assert "## Validation of step 4\n" in (run / "final" / "README.md").read_text()


def test_status_curves_and_the_plan_show_it(train_tiny, tiny_config, held):
    run = train_tiny("sft", "run", *held(BEST))
    found = status(run)
    assert (found.validation["step"], found.best["metric"]) == (4, "demonstrations/loss")
    shown = CliRunner().invoke(app, ["status", str(run)])
    assert "validation of step 4" in shown.stdout
    [drawn] = read_runs([run])
    assert list(drawn.curve("validation/demonstrations/loss")) == [0, 1, 2, 3, 4]
    assert list(drawn.curve("loss")) == [1, 2, 3, 4]
    names = [panel.title for panel in curves([drawn]).panels]
    assert {"validation/prompts/prompt_strict", "validation/demonstrations/loss"} <= {*names}
    planned = plan(tiny_config("sft", "run", *held()))["validation"]
    assert planned == {"times": 5, "of": ["prompts", "demonstrations"], "rows_of_each": 6}


def test_likelihoods_of_options_are_those_of_eval(train_tiny, tmp_path):
    """A benchmark of which nothing is generated, measured by the same scorer."""
    rows = [
        {"question": f"Question {n}?", "subject": "anatomy", "choices": list("wxyz"), "answer": n}
        for n in range(4)
    ]
    folder = tmp_path / "rows" / "all"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "test-0.parquet")
    benchmark = json.dumps({"mmlu_ll": {"data": str(folder.parent), "shots": 0}})
    named = [f"validation.benchmarks={benchmark}", "validation.prompts=null"]
    run = train_tiny("sft", "run", "validation.every=2", *named)
    last = json.loads((run / "validation.jsonl").read_text().splitlines()[-1])
    overrides = [
        f"eval.model={run}",
        f"eval.out={tmp_path / 'out'}",
        f"eval.benchmarks={benchmark}",
    ]
    result = evaluate(load_config(None, overrides))["benchmarks"]["mmlu_ll"]["draws"]
    figures = {n: one["mean"] for n, one in result["likelihood"]["metrics"].items()}
    assert figures == {n: last[f"mmlu_ll/{n}"] for n in figures}


@pytest.mark.slow
def test_a_metric_may_ask_the_discriminator(train_tiny, tiny_data, tmp_path):
    metrics = "[discriminator, length]"
    held = [EVERY, f"validation.prompts={tiny_data['others']}", "validation.limit=6"]
    held += [f"validation.metrics={metrics}", "validation.best=prompts/score"]
    run = train_tiny("agrpo", "run", *held)
    last = json.loads((run / "validation.jsonl").read_text().splitlines()[-1])
    assert "discriminator.path" in json.loads((run / "inputs.json").read_text())
    overrides = [f"eval.model={run}", f"eval.data={tiny_data['others']}", "eval.limit=6"]
    overrides += [f"eval.out={tmp_path / 'out'}", f"eval.metrics={metrics}"]
    overrides += ["discriminator.path=tiny:polar", "eval.draws.greedy.sampling.max_new_tokens=16"]
    found = evaluate(load_config(None, overrides))["draws"]["greedy"]
    assert last["prompts/score"] == pytest.approx(found["score"]["mean"], abs=1e-5)


def test_of_a_hubs_data_set_the_split_that_is_measured_is_the_input(monkeypatch, tiny_config):
    """Files are digested whole; of what is on the hub, `datasets` loads one split."""
    asked = []

    def opened(name, split, key):
        asked.append((name, split, key))

    monkeypatch.setattr("uniapl_cli.data.stored.depends.open_rows", opened)
    named = "validation.demonstrations=owner/held"
    config = tiny_config("sft", "run", EVERY, named, "validation.split=test")
    assert validation_inputs(config)["validation.demonstrations"]["path"] == "owner/held"
    assert asked == [("owner/held", "test", "validation.split")]
