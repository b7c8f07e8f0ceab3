"""A model of any family is trained, sampled, scored and evaluated, or refused before all that."""

from __future__ import annotations

import json
import math

import pytest
from architectures import ALL, NOT_SAMPLED, new_model

from uniapl_cli import load_config
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.errors import ModelError

TWO_STEPS = ("training.steps=2", "run.save_every=2", "sampling.max_new_tokens=8", "optim.lr=1e-3")


@pytest.fixture
def checkpoint(tokenizer, tmp_path):
    """checkpoint(family): the folder of a model of it, with a head wider than its tokenizer."""

    def make(family):
        new_model(family, len(tokenizer) + 24).save_pretrained(tmp_path / family)
        tokenizer.save_pretrained(tmp_path / family)
        return tmp_path / family

    return make


def measure(model, tiny_data, out):
    """Evaluate a model with one short draw."""
    draws = "eval.draws={greedy: null, one: {sampling: {max_new_tokens: 8}}}"
    data = [f"eval.data={tiny_data['few']}", "eval.limit=4"]
    where = [f"eval.model={model}", f"eval.out={out}", "run.device=cpu"]
    return evaluate(load_config(None, [*where, *data, draws]))


@pytest.mark.slow
@pytest.mark.parametrize("family", [name for name in ALL if name not in NOT_SAMPLED])
def test_it_is_trained_by_all_terms_and_evaluated(
    family, checkpoint, train_tiny, tiny_data, logged, tmp_path
):
    run = train_tiny("unified", "run", f"model.path={checkpoint(family)}", *TWO_STEPS)
    lines = logged(run)
    assert len(lines) == 2
    for line in lines:
        assert all(math.isfinite(value) for value in line.values() if isinstance(value, float))
        gaps = [value for name, value in line.items() if name.endswith("sampler_gap")]
        assert gaps and max(map(abs, gaps)) < 1e-4
    kinds = (tmp_path / family / "config.json", run / "final" / "config.json")
    before, after = (json.loads(file.read_text())["architectures"] for file in kinds)
    assert before == after
    assert measure(run / "final", tiny_data, tmp_path / "out")["draws"]["one"]


@pytest.mark.parametrize("family", NOT_SAMPLED)
def test_a_model_that_cannot_be_sampled_right_trains_no_step(
    family, checkpoint, train_tiny, tiny_data, tmp_path
):
    start = checkpoint(family)
    with pytest.raises(ModelError) as caught:
        train_tiny("grpo", "run", f"model.path={start}", *TWO_STEPS)
    assert caught.value.key == "model.path"
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    with pytest.raises(ModelError) as caught:
        measure(start, tiny_data, tmp_path / "out")
    assert caught.value.key == "eval.model"
    assert not (tmp_path / "out" / "responses.jsonl").exists()


def test_without_sampling_it_is_trained(checkpoint, train_tiny, logged):
    run = train_tiny("sft", "run", f"model.path={checkpoint('mamba2')}", *TWO_STEPS)
    assert len(logged(run)) == 2
