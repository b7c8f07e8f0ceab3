"""CISPO, GMPO and SAPO by hand, and what they share with the surrogate."""

import math
from dataclasses import replace

import pytest
import torch
from objective_cases import bound, token_batch

from uniapl_cli.objectives import corrections

OTHERS = ["cispo", "gmpo", "sapo"]


def of_one_row(log_ratios, advantage):
    """Return log-probabilities of -1 each, a leaf, and a batch of one row at these log-ratios."""
    batch = token_batch([len(log_ratios)])
    gaps = torch.zeros(batch.loss_mask.shape, dtype=torch.float64)
    gaps[batch.loss_mask] = torch.tensor(log_ratios, dtype=torch.float64)
    logps = torch.full_like(gaps, -1.0, requires_grad=True)
    worth = {"worth": torch.tensor([advantage], dtype=torch.float64)}
    return logps, replace(batch, old_logps=logps.detach() - gaps, advantages=worth)


def row(name, log_ratios, advantage, **options):
    """Return the losses of a row's tokens, the slopes of their mean, and the metrics."""
    logps, batch = of_one_row(log_ratios, advantage)
    result, mask = bound(name, **options)(logps, batch), batch.loss_mask
    result.per_token[mask].mean().backward()
    metrics = {key: value[mask].tolist() for key, value in result.metrics.items()}
    return result.per_token[mask].tolist(), logps.grad[mask].tolist(), metrics


# (ratio, A, options) -> loss at log p = -1, slope, whether the weight is held.
CISPO = [
    (6.0, 1.0, {}, 5.0, -5.0, 1),
    (6.0, -2.0, {}, -10.0, 10.0, 1),
    (4.0, 1.0, {}, 4.0, -4.0, 0),
    (0.1, 1.0, {}, 0.1, -0.1, 0),
    (6.0, 1.0, {"cap": None}, 6.0, -6.0, 0),
    (1.5, 1.0, {"cap": 1.2, "floor": 0.8}, 1.2, -1.2, 1),
    (0.5, -1.0, {"cap": 1.2, "floor": 0.8}, -0.8, 0.8, 1),
]


@pytest.mark.parametrize(("ratio", "advantage", "options", "loss", "slope", "held"), CISPO)
def test_cispo_holds_the_weight_and_never_the_gradient(
    ratio, advantage, options, loss, slope, held
):
    losses, slopes, metrics = row("cispo", [math.log(ratio)], advantage, **options)
    assert (*losses, *slopes, *metrics["clipped_weight"]) == pytest.approx((loss, slope, held))


def test_gmpo_clips_the_tokens_and_takes_their_geometric_mean():
    losses, slopes, metrics = row("gmpo", [0.2, 0.6], 1.0)
    whole = math.exp(0.3)
    assert losses == pytest.approx([-whole] * 2)
    assert slopes == pytest.approx([-whole / 2, 0])
    assert metrics["clip_ratio"] == [0, 1]


def test_gmpo_clips_on_the_side_of_the_advantages_sign():
    assert row("gmpo", [0.6, -0.6], -1.0)[1] == pytest.approx([math.exp(0.1) / 2, 0])
    assert row("gmpo", [0.6, -0.6], 1.0)[1] == pytest.approx([0, -math.exp(-0.1) / 2])


def test_gmpo_without_bounds_is_the_surrogate_of_sequences_without_bounds():
    batch = token_batch([1, 12, 3])
    near = (batch.old_logps + 0.3).requires_grad_()
    options = {"clip_low": None, "clip_high": None}
    ours = bound("gmpo", **options)(near, batch).per_token
    theirs = bound("surrogate", importance_sampling_level="sequence", **options)(near, batch)
    assert torch.equal(ours, theirs.per_token)


@pytest.mark.parametrize(("advantage", "tau"), [(1.0, 1.0), (-0.5, 1.05)])
@pytest.mark.parametrize("ratio", [0.2, 1.0, 2.0, 9.0])
def test_sapo_closes_smoothly(ratio, advantage, tau):
    losses, slopes, metrics = row("sapo", [math.log(ratio)], advantage)
    gate = 1 / (1 + math.exp(-tau * (ratio - 1)))
    share = 4 * gate * (1 - gate)
    assert losses == pytest.approx([-4 / tau * gate * advantage])
    assert slopes == pytest.approx([-share * ratio * advantage])
    assert metrics["gate"] == pytest.approx([share])


@pytest.mark.parametrize("name", OTHERS)
def test_where_policy_and_sampler_agree_the_slope_is_that_of_the_surrogate(name):
    batch = token_batch([1, 12, 3])
    slopes = []
    for objective in ("surrogate", name):
        logps = batch.old_logps.clone().requires_grad_()
        (bound(objective)(logps, batch).per_token * batch.loss_mask).sum().backward()
        slopes.append(logps.grad)
    assert torch.allclose(*slopes, rtol=1e-12)


@pytest.mark.parametrize("name", [*OTHERS, "multiple_importance"])
def test_a_correction_weighs_it_as_it_does_the_surrogate(name):
    """Against the learner as it is, every token's own ratio is 1; the weight is held constant."""
    batch = token_batch([1, 12, 3])
    weigh = corrections.bind(corrections.options("token", cap=1.2))
    batch = replace(batch, correction=weigh)
    start = batch.old_logps + 0.4 * (7 * batch.ref_logps).sin()
    fresh = replace(batch, correction=None, old_logps=start)
    own, plain = bound(name)(start, batch), bound(name)(start, fresh)
    ratio, weights = weigh(start - batch.old_logps, batch.loss_mask)
    assert not torch.equal(ratio, weights)
    assert torch.equal(own.per_token, weights * plain.per_token)
    assert torch.equal(own.metrics["capped_ratio"], (ratio != weights).float())
    later = replace(batch, start_logps=start)
    assert not torch.equal(bound(name)(start + 0.1, later).per_token, own.per_token)


@pytest.mark.parametrize("name", [*OTHERS, "multiple_importance"])
@pytest.mark.parametrize("advantage", [1.0, -1.0])
@pytest.mark.parametrize("log_ratio", [1000.0, -1000.0])
def test_a_policy_that_ran_away_stays_finite(name, advantage, log_ratio):
    batch = replace(
        token_batch([2]),
        old_logps=torch.full((1, 4), min(-log_ratio, 0.0)),
        advantages={"worth": torch.tensor([advantage])},
    )
    logps = torch.full((1, 4), min(log_ratio, 0.0), requires_grad=True)
    result = bound(name)(logps, batch)
    (result.per_token * batch.loss_mask).sum().backward()
    assert result.per_token.isfinite().all()
    assert logps.grad.isfinite().all()
