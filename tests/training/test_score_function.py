"""On a policy whose responses can all be listed, expected gradients are those of expectations.

Every batch that could be sampled goes through the real path (reward, collation, terms, accumulate),
weighed by how likely it is; the truth is autograd through the exact expectation.
"""

import itertools

import pytest
import torch
from accumulating import accumulated_means
from rollout_cases import example

from uniapl_cli.objectives import advantages, objectives, reductions
from uniapl_cli.rewards import FunctionValues, Reward, WeightedFunction
from uniapl_cli.rewards.functions import kl
from uniapl_cli.sources.rollouts import Rollouts
from uniapl_cli.training.terms import Term
from uniapl_cli.types import Completion, Rollout, Sampling

STOP, VOCABULARY, LONGEST = 0, 3, 3
PROMPT = (1,)


def responses():
    """Yield every response: up to LONGEST tokens, ended by STOP or cut off."""
    for length in range(1, LONGEST + 1):
        for ids in itertools.product(range(VOCABULARY), repeat=length):
            if STOP not in ids[:-1] and (ids[-1] == STOP or length == LONGEST):
                yield ids


RESPONSES = list(responses())
HISTORIES = {ids: n for n, ids in enumerate({r[:end] for r in RESPONSES for end in range(LONGEST)})}
# What a response is worth to the verifier, and how a discriminator's coefficient might look.
REWARD = {ids: float(ids.count(2) > ids.count(1)) for ids in RESPONSES}
COEF = {ids: 0.9 - 0.7 * len(ids) + 0.4 * ids.count(2) for ids in RESPONSES}


class Listable:
    """A policy with a row of logits for every history."""

    device = torch.device("cpu")

    def __init__(self, seed):
        rng = torch.Generator().manual_seed(seed)
        logits = torch.randn(len(HISTORIES), VOCABULARY, dtype=torch.float64, generator=rng)
        self.logits = logits.requires_grad_()

    def token_logps(self, ids):
        rows = self.logits.log_softmax(-1)
        return torch.stack([rows[HISTORIES[ids[:t]], ids[t]] for t in range(len(ids))])

    def logp(self, ids):
        return self.token_logps(ids).sum()

    def forward(self, batch):
        result = torch.zeros(batch.loss_mask.shape, dtype=torch.float64)
        for row, mask in enumerate(batch.loss_mask):
            ids = tuple(batch.tokens[row, 1:][mask].tolist())
            if ids:
                result = result.index_put(
                    (torch.tensor(row), mask.nonzero().flatten()), self.token_logps(ids)
                )
        return result


@pytest.fixture
def policy():
    return Listable(0)


def rollouts_of(policy, batch):
    """Return the rollouts of one prompt with these responses, as sampled from the policy."""
    return [
        Rollout(
            example(),
            PROMPT,
            Completion(str(ids), ids, tuple(policy.token_logps(ids).tolist()), "stop"),
            0,
        )
        for ids in batch
    ]


def worth(table):
    return lambda rollouts: [table[rollout.completion.token_ids] for rollout in rollouts]


def expected_gradient(policy, judge, samples, weight=1.0):
    """Return the gradient, expected over every batch of so many samples, of the surrogate."""

    class OfOneToken:
        tokenizer = type("Tokenizer", (), {"pad_token_id": 0})

    source = Rollouts("r", "s", OfOneToken, None, Sampling(), samples, {"worth": judge}, 0)
    term = Term(
        "term",
        "source",
        lambda values: 1.0,
        objectives.bind(objectives.options("surrogate", reward="worth")),
        "worth",
        # The sum over a response's tokens is the response's own log-probability.
        reduction=reductions.bind(reductions.options("constant"), longest=1),
    )
    total = torch.zeros_like(policy.logits)
    for batch in itertools.product(RESPONSES, repeat=samples):
        rollouts = rollouts_of(policy, batch)
        tokens = source.collate(rollouts, {"worth": judge.compute(rollouts)})
        policy.logits.grad = None
        accumulated_means(policy, [term], {"term": weight}, {"source": tokens}, 2)
        likely = torch.stack([policy.logp(ids) for ids in batch]).sum().exp().detach()
        total += likely * policy.logits.grad
    return total


def expectation(policy, values):
    """Return E[values(response)], differentiable in the policy."""
    return sum(policy.logp(ids).exp() * values(ids) for ids in RESPONSES)


def slope(policy, scalar):
    return torch.autograd.grad(scalar, policy.logits)[0]


def reward(rule, function):
    advantage = advantages.bind(advantages.options(rule))
    return Reward("worth", [WeightedFunction("function", 1.0, function)], advantage)


def test_all_responses_are_listed(policy):
    assert expectation(policy, lambda ids: 1.0).item() == pytest.approx(1.0)


def close(result, expected):
    # Advantages and the sampler's log-probabilities are kept in float32.
    assert expected.norm() > 1e-2
    return (result - expected).norm() < 1e-6 * expected.norm()


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
