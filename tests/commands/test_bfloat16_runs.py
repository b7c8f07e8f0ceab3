"""Whole runs with precision=bfloat16: they go on to the bit, and say what they compute in."""

import logging

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.pretrain_polar import pretrain_polar
from uniapl_cli.commands.score import score
from uniapl_cli.commands.teacher_gen import teacher_gen
from uniapl_cli.commands.train import train
from uniapl_cli.errors import RunError, UniAPLError

HALF = "precision=bfloat16"
SAID = {
    "auto": "float32 on cpu (precision=auto)",
    "bfloat16": "bfloat16 on cpu (precision=bfloat16)",
}
LONGER = ("training.steps=8", "optim.lr=0.001")


@pytest.mark.slow
def test_unified_goes_on_to_the_bit_and_is_evaluated(
    train_tiny, weights, logged, back_to_step_2, tmp_path
):
    run = train_tiny("unified", "run", HALF)
    expected, lines = weights(run), logged(run)
    back_to_step_2(run)
    train_tiny("unified", "run", HALF)
    assert weights(run) == expected
    assert logged(run) == lines
    assert all(line["grad_norm"] > 0 for line in lines)
    gaps = [v for line in lines for name, v in line.items() if name.endswith("sampler_gap")]
    assert 0 < max(gaps) < 0.03
    result = evaluate(evaluation(run, tmp_path))
    assert result["draws"]["greedy"]["length"]["mean"] > 0


def evaluation(run, tmp_path, *overrides):
    data = ("eval.data=tiny:heldout", "eval.limit=2", "eval.metrics=[length]")
    short = "eval.draws.greedy.sampling.max_new_tokens=4"
    named = (f"eval.model={run}", f"eval.out={tmp_path / 'eval'}")
    return load_config(None, [*data, short, *named, HALF, *overrides])


@pytest.mark.slow
def test_a_run_in_bfloat16_stays_beside_one_in_float32(train_tiny, logged):
    half, full = (
        logged(train_tiny("sft", p, *LONGER, f"precision={p}")) for p in ("bfloat16", "float32")
    )
    assert [row["loss"] for row in half] != [row["loss"] for row in full]
    for one, other in zip(half, full, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=0.03)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=0.03)


@pytest.mark.slow
def test_a_reference_that_is_the_policy_has_no_divergence(train_tiny, logged):
    """To the bit, though its weights are kept in bfloat16; with an adapter too."""
    for name, more in {"all": [], "adapter": ["model.adapter.rank=2"]}.items():
        first = logged(train_tiny("grpo", name, HALF, "schedules.beta_kl=0.1", *more))[0]
        assert first["kl"] == 0


def test_a_run_goes_on_in_its_own_precision(train_tiny, tiny_config, back_to_step_2):
    back_to_step_2(train_tiny("sft", "run", HALF))
    with pytest.raises(RunError) as caught:
        train(tiny_config("sft", "run"))
    assert any("precision" in change for change in caught.value.got)


@pytest.mark.parametrize("precision", SAID)
def test_a_run_says_what_it_computes_in(tiny_config, train_tiny, caplog, precision):
    overrides = [f"precision={precision}", "training.steps=1", "run.device=cpu"]
    planned = train(tiny_config("sft", "run", *overrides), dry_run=True)
    assert planned["computed in"] == SAID[precision]
    with caplog.at_level(logging.INFO, "uniapl"):
        train_tiny("sft", "run", *overrides)
    assert sum(SAID[precision] in message for message in caplog.messages) == 1


def test_a_dry_run_of_every_verb_that_computes_says_in_what(tiny_config, tiny_data, tmp_path):
    rows, at = tiny_data["few"], [HALF, "run.device=cpu"]
    teach = [
        f"teach.prompts={rows}",
        f"teach.out={tmp_path / 'out.jsonl'}",
        "teacher.path=tiny:base",
    ]
    planned = [
        train(tiny_config("unified", "run", *at), dry_run=True),
        pretrain_polar(tiny_config("polar", "polar", *at), dry_run=True),
        evaluate(evaluation("tiny:base", tmp_path, *at), dry_run=True),
        teacher_gen(load_config(None, [*teach, *at]), dry_run=True),
    ]
    assert [plan["computed in"] for plan in planned] == [SAID["bfloat16"]] * 4
    server = ["teacher.server.url=http://127.0.0.1:1/v1", *teach, *at]
    assert "computed in" not in teacher_gen(load_config(None, server), dry_run=True)


def test_scores_of_one_file_have_one_precision(tiny_data, tmp_path):
    common = ["discriminator.path=tiny:polar", f"score.input={tiny_data['eight']}"]
    common += [
        "score.reference=response",
        "score.output=response",
        f"score.out={tmp_path / 'scores.jsonl'}",
        "run.device=cpu",
    ]
    score(load_config(None, [*common, "precision=auto"]))
    score(load_config(None, [*common, "precision=float32"]))
    with pytest.raises(UniAPLError):
        score(load_config(None, [*common, HALF]))
