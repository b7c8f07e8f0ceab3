"""Ratios to an author whose probability nobody knows, by hand."""

import math
from dataclasses import replace

import pytest
import torch
from objective_cases import bound, token_batch


def reward(name, p, advantage=1.0, old=0.5, **options):
    """Return the loss of a token of probability p, and its slope in log p."""
    logps = torch.full((1, 3), math.log(p), dtype=torch.float64, requires_grad=True)
    batch = replace(
        token_batch([1]),
        old_logps=torch.full((1, 3), math.log(old), dtype=torch.float64),
        advantages={"worth": torch.tensor([advantage], dtype=torch.float64)},
    )
    result = bound(name, **options)(logps, batch)
    result.per_token[0, 0].backward()
    return float(result.per_token[0, 0].detach()), float(logps.grad[0, 0])


@pytest.mark.parametrize("p", [1e-6, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("advantage", [0.875, -0.5])
def test_off_policy_takes_the_author_to_be_certain(p, advantage):
    assert reward("off_policy", p, advantage) == pytest.approx((-advantage * p,) * 2)


@pytest.mark.parametrize("gamma", [0.1, 0.5])
@pytest.mark.parametrize("p", [1e-6, 0.1, 0.5, 1.0])
def test_shaping_is_differentiated_as_a_whole(p, gamma):
    loss, slope = reward("shaped", p, 0.875, gamma=gamma)
    assert loss == pytest.approx(-0.875 * p / (p + gamma))
    assert slope == pytest.approx(-0.875 * gamma * p / (p + gamma) ** 2)


def test_shaping_is_steepest_where_p_is_gamma():
    slopes = {p: abs(reward("shaped", p)[1]) for p in (0.001, 0.05, 0.1, 0.2, 0.9)}
    assert max(slopes, key=slopes.get) == 0.1
    assert slopes[0.1] == pytest.approx(0.25)
    assert slopes[0.001] < 0.01


@pytest.mark.parametrize("uniform", [1.0, 1 / 151936])
@pytest.mark.parametrize(("p", "old"), [(0.5, 0.5), (0.2, 0.6), (1.0, 1.0), (1e-6, 1e-5)])
def test_multiple_importance_is_two_policies_half_way(p, old, uniform):
    expected = -0.5 * 2 * p / (old + old / 2 + uniform / 2)
    found = reward("multiple_importance", p, 0.5, old, uniform=uniform)
    assert found == pytest.approx((expected, expected))


def test_both_readings_of_the_even_policy_are_far_apart_where_the_policy_is_unsure():
    code, paper = (
        -reward("multiple_importance", 0.001, old=0.001, uniform=uniform)[0]
        for uniform in (1.0, 1 / 151936)
    )
    assert code == pytest.approx(0.004, rel=0.01)
    assert paper == pytest.approx(4 / 3, rel=0.01)
