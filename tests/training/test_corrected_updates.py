"""Several updates of corrected rollouts: whatever the micro-batches, and what they cost."""

from dataclasses import replace

import pytest
import torch
from accumulating import room

from uniapl_cli.errors import OutOfMemory
from uniapl_cli.objectives import corrections, objectives
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update

LENGTHS = [1, 30, 2, 17, 1, 5]
SURROGATE = objectives.bind(objectives.options("surrogate", reward="verifier"))
KINDS = {
    "token": {"cap": 1.05, "floor": 0.95},
    "sequence": {"cap": 1.2, "floor": 0.8, "mask": True},
}


def correction(kind):
    return corrections.bind(corrections.options(kind, **KINDS[kind]))


@pytest.fixture
def corrected(new_policy, new_batch):
    """corrected(kind): rollouts of a sampler that is off by 0.1 nats a token from the policy."""

    def make(kind):
        batch = new_batch(LENGTHS, ref_logps=None)
        with torch.no_grad():
            logps = new_policy(0).forward(batch)
        noise = torch.randn(logps.shape, generator=torch.Generator().manual_seed(4))
        old_logps = (logps + 0.1 * noise) * batch.loss_mask
        correcting = None if kind is None else correction(kind)
        return replace(batch, old_logps=old_logps, correction=correcting)

    return make


@pytest.fixture
def updated(new_policy, new_optimizer, corrected):
    """updated(kind, rows, updates): the weights, what is logged, and the passes over rows."""

    def make(kind, rows, updates):
        policy, passes = new_policy(0), []
        policy.net.backbone.register_forward_hook(lambda *_: passes.append(1))
        terms = [Term("t", "s", lambda values: 1.0, SURROGATE, "verifier", corrects=True)]
        batch = corrected(kind)
        sizes = {"s": room(batch, rows)}
        batches = prepare(policy, terms, {"s": batch}, sizes, updates=updates)
        updater = Updater(policy, new_optimizer(policy.model), [Update()], updates)
        means, _ = updater.update(1, terms, {term.name: 1.0 for term in terms}, batches, 1e-2)
        weights = torch.cat([p.detach().flatten() for p in policy.model.parameters()])
        return weights, {n: m.value for n, m in means.items()}, len(passes)

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("updates", [1, 3])
def test_neither_updates_nor_metrics_depend_on_the_micro_batch(updated, kind, updates):
    expected, logged, _ = updated(kind, len(LENGTHS), updates)
    assert 0.1 < logged["t/capped_ratio"] < 0.9
    assert 0.5 < logged["t/effective_sample_size"] < 0.999
    assert logged["t/sampler_gap_max"] > 2 * logged["t/sampler_gap"]
    assert (logged["t/clip_ratio"] > 0) == (updates > 1)
    for rows in (1, 2, 3):
        weights, found, _ = updated(kind, rows, updates)
        # AdamW's first steps are of the learning rate in size, whatever the gradient's.
        assert (weights - expected).norm() < 1e-3 * 1e-2 * len(weights) ** 0.5
        assert found == pytest.approx(logged, rel=2e-3, abs=1e-6)


def test_the_gap_is_the_samplers_alone_however_many_updates(updated):
    _, once, _ = updated("token", 3, 1)
    _, thrice, _ = updated("token", 3, 3)
    for name in ("sampler_gap", "sampler_gap_max", "effective_sample_size", "capped_ratio"):
        assert thrice[f"t/{name}"] == pytest.approx(once[f"t/{name}"], rel=1e-4)
    assert updated(None, 3, 3)[1]["t/sampler_gap"] > 1.5 * once["t/sampler_gap"]


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_one_update_takes_no_further_pass_and_more_take_one(updated, kind):
    parts = updated(None, 3, 1)[2]
    assert parts > 1
    assert updated(kind, 3, 1)[2] == parts
    assert updated(kind, 3, 2)[2] == (2 if kind is None else 3) * parts


def test_terms_that_correct_nothing_take_no_pass(new_policy, corrected):
    policy, batch = new_policy(0), corrected("token")
    nll = Term("nll", "s", lambda values: 1.0, objectives["nll"].definition)
    micros = prepare(policy, [nll], {"s": batch}, {"s": room(batch, 6)}, updates=4)["s"]
    assert micros and all(micro.start_logps is None for micro in micros)


def test_a_pass_that_memory_is_refused_for_is_tried_at_half(new_policy, corrected, caplog):
    policy, batch = new_policy(0), corrected("token")
    forward, refused = policy.forward, []

    def narrow(micro):
        if not refused:
            refused.append(len(micro.loss_mask))
            raise OutOfMemory("in a pass")
        return forward(micro)

    policy.forward = narrow
    term = Term("t", "s", lambda values: 1.0, SURROGATE, "verifier", corrects=True)
    micros = prepare(policy, [term], {"s": batch}, {"s": room(batch, 6)}, updates=2)["s"]
    assert refused and max(len(micro.loss_mask) for micro in micros) < len(LENGTHS)
    with torch.no_grad():
        for micro in micros:
            assert torch.allclose(micro.start_logps, forward(micro), atol=1e-5)
