import math
from dataclasses import replace

import pytest
import torch
from objective_cases import bound, token_batch
from pydantic import ValidationError


def surrogate(ratio, advantage, **options):
    """Return the loss, its slope in log p and whether it was clipped, of a token at this ratio."""
    logps = torch.full((1, 3), -1.0, dtype=torch.float64, requires_grad=True)
    batch = replace(
        token_batch([1]),
        old_logps=logps.detach() - math.log(ratio),
        advantages={"worth": torch.tensor([advantage], dtype=torch.float64)},
    )
    result = bound("surrogate", **options)(logps, batch)
    result.per_token[0, 0].backward()
    clipped = float(result.metrics["clip_ratio"][0, 0])
    return float(result.per_token[0, 0].detach()), float(logps.grad[0, 0]), clipped


# With clips of 0.2: (ratio, advantage) -> loss, slope, clipped.
REGIONS = {
    (1.0, 1.0): (-1.0, -1.0, 0),
    (1.0, -2.0): (2.0, 2.0, 0),
    (1.1, 1.0): (-1.1, -1.1, 0),
    (0.9, -1.0): (0.9, 0.9, 0),
    (1.5, 1.0): (-1.2, 0.0, 1),
    (1.5, -1.0): (1.5, 1.5, 0),
    (0.5, 1.0): (-0.5, -0.5, 0),
    (0.5, -1.0): (0.8, 0.0, 1),
    (1.5, 0.0): (0.0, 0.0, 0),
}


@pytest.mark.parametrize(("inputs", "expected"), REGIONS.items())
def test_the_surrogate_is_clipped_only_where_it_would_gain(inputs, expected):
    assert surrogate(*inputs) == pytest.approx(expected)


def test_the_two_clips_are_apart():
    assert surrogate(1.25, 1.0, clip_high=0.28) == pytest.approx((-1.25, -1.25, 0))
    assert surrogate(0.75, -1.0, clip_low=0.1) == pytest.approx((0.9, 0.0, 1))


def test_a_side_without_a_clip_keeps_its_gradient():
    assert surrogate(9.0, 1.0, clip_high=None) == pytest.approx((-9.0, -9.0, 0))
    assert surrogate(0.5, -1.0, clip_high=None) == pytest.approx((0.8, 0.0, 1))
    assert surrogate(0.5, -1.0, clip_low=None) == pytest.approx((0.5, 0.5, 0))
    assert surrogate(9.0, 1.0, clip_low=None, clip_high=None) == pytest.approx((-9.0, -9.0, 0))
    assert surrogate(9.0, -1.0, clip_high=None, dual_clip=3.0)[:2] == pytest.approx((3.0, 0.0))


def test_each_row_has_its_own_advantage():
    batch = token_batch([1, 12, 3])
    result = bound("surrogate")(batch.old_logps, batch)
    assert torch.equal(
        result.per_token, -batch.advantages["worth"].unsqueeze(1).expand_as(batch.loss_mask)
    )


@pytest.mark.parametrize("advantage", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("log_ratio", [1000.0, -1000.0])
def test_a_policy_that_ran_away_from_its_sampler_stays_finite(log_ratio, advantage):
    """exp(1000) is infinite, and infinity times 0 is not a number."""
    logps = torch.full((1, 3), log_ratio, requires_grad=True)
    batch = replace(
        token_batch([1]),
        old_logps=torch.zeros(1, 3),
        advantages={"worth": torch.tensor([advantage])},
    )
    per_token = bound("surrogate")(logps, batch).per_token
    per_token.sum().backward()
    assert per_token.isfinite().all()
    assert logps.grad.isfinite().all()


def test_the_gap_to_the_sampler_is_logged():
    batch = token_batch([1])
    gap = bound("surrogate")(batch.old_logps - 0.25, batch).metrics["sampler_gap"]
    assert gap[batch.loss_mask] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [(5.0, -1.0, 3.0, 0.0), (2.0, -1.0, 2.0, 2.0), (5.0, 1.0, -1.2, 0.0), (0.5, -2.0, 1.6, 0.0)],
)
def test_a_dual_clip_bounds_what_a_bad_response_can_cost(ratio, advantage, loss, slope):
    assert surrogate(ratio, advantage, dual_clip=3.0)[:2] == pytest.approx((loss, slope))


@pytest.mark.parametrize("clips", [{"dual_clip": 1.2}, {"dual_clip": 1.4, "clip_high": 0.5}])
def test_a_dual_clip_below_the_clip_is_refused(clips):
    with pytest.raises(ValidationError) as caught:
        bound("surrogate", **clips)
    (error,) = caught.value.errors()
    assert error["type"] == "value_error"
    assert str(clips["dual_clip"]) in error["msg"]


def test_a_sequences_ratio_is_the_geometric_mean_of_its_tokens():
    """GSPO: tokens at 1.21 and 1.0 are both at 1.1, and share the slope evenly."""
    batch = replace(token_batch([2]), advantages={"worth": torch.ones(1, dtype=torch.float64)})
    gaps = torch.tensor([[0.0, 0.0, math.log(1.21), 0.0]], dtype=torch.float64)
    assert batch.loss_mask.tolist() == [[False, False, True, True]]
    logps = (batch.old_logps + gaps).requires_grad_()
    objective = bound("surrogate", importance_sampling_level="sequence")
    result = objective(logps, batch)
    assert result.per_token[batch.loss_mask].tolist() == pytest.approx([-1.1, -1.1])
    (result.per_token * batch.loss_mask).sum().backward()
    assert logps.grad[batch.loss_mask].tolist() == pytest.approx([-1.1, -1.1])
    assert result.metrics["sampler_gap"][batch.loss_mask].tolist() == pytest.approx(
        [math.log(1.21), 0]
    )


def test_a_sequence_is_clipped_as_a_whole():
    batch = replace(token_batch([2]), advantages={"worth": torch.ones(1, dtype=torch.float64)})
    logps = (batch.old_logps + math.log(1.5) * batch.loss_mask).requires_grad_()
    result = bound("surrogate", importance_sampling_level="sequence")(logps, batch)
    (result.per_token * batch.loss_mask).sum().backward()
    assert result.metrics["clip_ratio"][batch.loss_mask].all()
    assert not logps.grad.any()
