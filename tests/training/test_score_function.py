"""On a policy whose responses can all be listed, expected gradients are those of expectations.

The truth is autograd through the exact expectation.
"""

import itertools

import pytest
import torch
from enumeration import (
    COEF,
    RESPONSES,
    REWARD,
    Listable,
    close,
    expectation,
    expected_gradient,
    reward,
    rollouts_of,
    slope,
    worth,
)

from uniapl_cli.rewards import FunctionValues
from uniapl_cli.rewards.functions import kl


@pytest.fixture
def policy():
    return Listable(0)


def test_all_responses_are_listed(policy):
    assert expectation(policy, lambda ids: 1.0).item() == pytest.approx(1.0)


@pytest.mark.parametrize("weight", [1.0, 0.001])
def test_the_anchors_gradient_is_that_of_l_adv(policy, weight):
    """L_ADV = -E[D], paper eq. (2) and Algorithm 1: the coefficient takes the advantage's place."""
    result = expected_gradient(policy, reward("raw", worth(COEF)), 1, weight)
    assert close(result / weight, slope(policy, -expectation(policy, COEF.get)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "share"), [("leave_one_out", 1.0), ("centred", 1 / 2), ("raw", 1.0)]
)
@pytest.mark.parametrize("table", [REWARD, COEF])
def test_a_baseline_takes_variance_away_and_no_more(policy, rule, share, table):
    """The mean of a group of G knows of the rollout itself: it leaves (G - 1) / G of the slope."""
    result = expected_gradient(policy, reward(rule, worth(table)), 2)
    assert close(result, share * slope(policy, -expectation(policy, table.get)))


@pytest.mark.parametrize("rule", ["group", "batch"])
def test_grpos_gradient_is_that_of_its_expected_surrogate(policy, rule):
    """-E[sum of A_i pi(y_i) / pi_old(y_i)] / G, the advantages as they are under the sampler."""
    judge = reward(rule, worth(REWARD))
    exact = torch.zeros((), dtype=torch.float64)
    for batch in itertools.product(RESPONSES, repeat=2):
        gains = judge.compute(rollouts_of(policy, batch)).advantages.double()
        old = torch.stack([policy.logp(ids) for ids in batch])
        ratios = (old - old.detach()).exp()
        exact = exact - old.detach().sum().exp() * (ratios * gains).mean()
    assert close(expected_gradient(policy, judge, 2), slope(policy, exact))


EXPERT = (2, 1, 0)


def test_sft_is_the_dirac_reward_but_for_the_experts_probability(policy):
    """A.1: with R = 1 for the expert's response alone, grad(-E[R]) is p times grad(-log p)."""
    dirac = {ids: float(ids == EXPERT) for ids in RESPONSES}
    result = expected_gradient(policy, reward("raw", worth(dirac)), 1)
    p = policy.logp(EXPERT).exp().detach()
    sft = slope(policy, -policy.logp(EXPERT))
    assert 0 < p < 0.5 and close(result, p * sft)
    # Infinite, in A.1's words, is 1 / p: with that for a reward it is SFT's gradient itself.
    infinite = {ids: float(ids == EXPERT) / float(p) for ids in RESPONSES}
    assert close(expected_gradient(policy, reward("raw", worth(infinite)), 1), sft)


def test_over_several_demonstrations_sft_and_the_dirac_reward_want_different_policies():
    """A.1 is of one response: of two for one prompt, 2 to 1, SFT keeps both and the reward one."""
    logits = torch.tensor([2 / 3, 1 / 3], dtype=torch.float64).log().requires_grad_()
    shares = torch.tensor([2 / 3, 1 / 3], dtype=torch.float64)
    (sft,) = torch.autograd.grad(-(shares * logits.log_softmax(0)).sum(), logits)
    (dirac,) = torch.autograd.grad(-(shares * logits.softmax(0)).sum(), logits)
    assert sft.abs().max() < 1e-12 and dirac[0] < -0.05 < 0.05 < dirac[1]


def test_kl_in_the_reward_is_the_divergences_own_gradient(policy):
    reference = Listable(1)

    def ref_logps(rollouts):
        return [reference.token_logps(r.completion.token_ids).tolist() for r in rollouts]

    def score(rollouts):
        return FunctionValues([-value for value in kl(rollouts, reference=ref_logps)])

    result = expected_gradient(policy, reward("raw", score), 1)
    divergence = expectation(policy, lambda ids: policy.logp(ids) - reference.logp(ids).detach())
    assert close(result, slope(policy, divergence))
