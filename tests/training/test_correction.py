"""Rollouts of another policy than the learner's: weighed, they have the learner's gradient."""

import pytest
from enumeration import (
    COEF,
    RESPONSES,
    Listable,
    close,
    expectation,
    expected_gradient,
    reward,
    slope,
    worth,
)

from uniapl_cli.objectives import corrections


@pytest.fixture
def policy():
    return Listable(0)


def corrected(kind, **options):
    return corrections.bind(corrections.options(kind, **options))


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "samples"), [("raw", 1), ("leave_one_out", 2)])
def test_another_samplers_gradient_is_corrected_by_the_responses_own_ratio(policy, rule, samples):
    """sum over y of q(y) p(y) / q(y) R(y) grad log p(y) is the gradient of E_p[R], for any q.

    A baseline of the group's other samples adds none: it does not depend on the response itself.
    """
    judge, sampler = reward(rule, worth(COEF)), Listable(3)
    whole = corrected("sequence", cap=None)
    truth = slope(policy, -expectation(policy, COEF.get))
    result = expected_gradient(policy, judge, samples, sampler=sampler, correction=whole)
    assert close(result, truth)
    for other in (
        None,
        corrected("token", cap=None),
        corrected("sequence", cap=None, ratio="mean"),
    ):
        biased = expected_gradient(policy, judge, samples, sampler=sampler, correction=other)
        assert (biased - truth).norm() > 0.05 * truth.norm()


def test_what_a_cap_takes_is_the_bias_and_it_goes_to_0_as_the_cap_rises(policy):
    """With cap c, q min(p / q, c) = min(p, c q): missing is (p - c q) where p > c q, no more."""
    judge, sampler = reward("raw", worth(COEF)), Listable(3)
    truth = slope(policy, -expectation(policy, COEF.get))
    missing, biases = [], []
    for cap in (1.0, 1.5, 2.0, 4.0, 64.0):
        capped = corrected("sequence", cap=cap)
        result = expected_gradient(policy, judge, 1, sampler=sampler, correction=capped)
        lost = {
            ids: (policy.logp(ids).exp() - cap * sampler.logp(ids).exp()).clamp(min=0).detach()
            for ids in RESPONSES
        }
        bias = slope(policy, sum(COEF[ids] * lost[ids] * policy.logp(ids) for ids in RESPONSES))
        assert (result - truth - bias).norm() < 1e-6 * truth.norm()
        missing.append(float(sum(lost.values())))
        biases.append(float(bias.norm()))
    assert missing[0] > 0.1 and missing[-1] == 0 == biases[-1]
    assert missing == sorted(missing, reverse=True) and biases == sorted(biases, reverse=True)
