import math
from dataclasses import replace

import pytest
import torch
from objective_cases import bound, token_batch

# d = ref_logp - logp -> k1, k2, k3; from the formulas' authors (Schulman), to six digits.
GOLDEN = {
    0.1: (-0.1, 0.005, 0.005171),
    1.0: (-1.0, 0.5, 0.718282),
    -1.0: (1.0, 0.5, 0.367879),
    5.0: (-5.0, 12.5, 142.413159),
}
# The slope in log p.
SLOPES = {"k1": lambda d: 1.0, "k2": lambda d: -d, "k3": lambda d: 1 - math.exp(d)}
ESTIMATORS = list(SLOPES)


def estimated(d, estimator):
    """Return the estimate and its slope in log p."""
    logps = torch.full((1, 3), -2.0, dtype=torch.float64, requires_grad=True)
    batch = replace(token_batch([1]), ref_logps=logps.detach() + d)
    per_token = bound("kl", estimator=estimator)(logps, batch).per_token
    per_token[0, 0].backward()
    return float(per_token[0, 0].detach()), float(logps.grad[0, 0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("d", "golden"), GOLDEN.items())
def test_the_estimators_are_as_published(d, golden, estimator):
    expected = dict(zip(ESTIMATORS, golden, strict=True))[estimator]
    assert estimated(d, estimator)[0] == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("d", [*GOLDEN, 0.0])
def test_the_estimators_have_their_slopes(d, estimator):
    assert estimated(d, estimator)[1] == pytest.approx(SLOPES[estimator](d))


def test_k3_is_what_is_used_unless_told_otherwise():
    batch = token_batch([1, 5])
    default, k3 = (
        bound("kl", **options)(batch.old_logps, batch) for options in ({}, {"estimator": "k3"})
    )
    assert torch.equal(default.per_token, k3.per_token)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_metric_is_k3_whatever_the_estimator(estimator):
    logps = torch.full((1, 3), -2.0, requires_grad=True)
    batch = replace(token_batch([1]), ref_logps=torch.full((1, 3), -1.0))
    metrics = bound("kl", estimator=estimator)(logps, batch).metrics
    assert {name: float(value[0, 0]) for name, value in metrics.items()} == pytest.approx(
        {"kl": 0.718282, "k1": -1.0}
    )
    assert not any(value.requires_grad for value in metrics.values())


@pytest.mark.parametrize("d", [1000.0, -1000.0])
def test_a_policy_far_from_the_reference_stays_finite(d):
    assert all(map(math.isfinite, estimated(d, "k3")))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_in_expectation_they_are_the_divergence(estimator):
    """Over all tokens of a vocabulary, weighed by the policy; k2 only near the reference."""
    rng = torch.Generator().manual_seed(0)
    scale = 0.01 if estimator == "k2" else 1.0
    policy = torch.randn(1, 50, dtype=torch.float64, generator=rng).log_softmax(-1)
    noise = torch.randn(1, 50, dtype=torch.float64, generator=rng)
    reference = (policy + scale * noise).log_softmax(-1)
    batch = replace(token_batch([48]), ref_logps=reference)
    mean = (policy.exp() * bound("kl", estimator=estimator)(policy, batch).per_token).sum()
    exact = (policy.exp() * (policy - reference)).sum()
    assert float(mean) == pytest.approx(float(exact), rel=0.02 if estimator == "k2" else 1e-9)
