import math

import pytest
import torch
from objective_cases import bound, token_batch

GOLDEN_PHI = {0.01: 0.0099, 0.1: 0.09, 0.25: 0.1875, 0.5: 0.25, 0.9: 0.09}


def imitate(name, p):
    """Return the loss of a token of probability p, its slope in log p, and the metrics."""
    logps = torch.full((1, 3), math.log(p), dtype=torch.float64, requires_grad=True)
    result = bound(name)(logps, token_batch([1]))
    result.per_token.sum().backward()
    metrics = {key: float(value[0, 0]) for key, value in result.metrics.items()}
    return float(result.per_token[0, 0].detach()), float(logps.grad[0, 0]), metrics


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 1.0])
def test_nll_is_minus_log_p(p):
    assert imitate("nll", p)[:2] == pytest.approx((-math.log(p), -1.0))


@pytest.mark.parametrize(("p", "phi"), GOLDEN_PHI.items())
def test_phi_weighs_tokens_by_p_times_1_minus_p_and_is_not_differentiated(p, phi):
    loss, slope, metrics = imitate("chord_phi", p)
    assert (loss, slope) == pytest.approx((-phi * math.log(p), -phi))
    assert metrics == pytest.approx({"phi": phi, "p": p})


@pytest.mark.parametrize(("p", "loss"), {0.25: 0.25993, 0.5: 0.173287, 0.9: 0.009482}.items())
def test_phi_times_nll_is_as_published(p, loss):
    assert imitate("chord_phi", p)[0] == pytest.approx(loss, abs=5e-6)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_importance_sampling_weighs_tokens_by_p_and_does_not_differentiate_it(p):
    loss, slope, metrics = imitate("dft", p)
    assert (loss, slope) == pytest.approx((-p * math.log(p), -p))
    assert metrics == pytest.approx({"p": p})
