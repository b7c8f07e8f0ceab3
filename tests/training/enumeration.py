"""A policy whose responses can all be listed, and the surrogate's gradient over all of them.

Every batch that could be sampled goes through the real path (reward, collation, terms, accumulate),
weighed by how likely it is.
"""

import itertools
from dataclasses import replace

import torch
from accumulating import accumulated_means
from rollout_cases import example

from uniapl_cli.objectives import advantages, objectives, reductions
from uniapl_cli.ranks import ALONE
from uniapl_cli.rewards import Reward, WeightedFunction
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
    ranks = ALONE

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


def expected_gradient(policy, judge, samples, weight=1.0, sampler=None, correction=None):
    """Return the gradient, expected over every batch of so many samples, of the surrogate.

    sampler: another policy that they are sampled from, if it is not the trained one.
    """
    sampler = sampler or policy

    source = source_of(judge, correction=correction)
    term = Term(
        "term",
        "source",
        lambda values: 1.0,
        objectives.bind(objectives.options("surrogate", reward="worth")),
        "worth",
        # The sum over a response's tokens is the response's own log-probability.
        reduction=reductions.bind(reductions.options("constant"), longest=1),
    )
    return expected_update(policy, source, [term], {"term": weight}, samples, sampler=sampler)


def source_of(judge, name="worth", correction=None):
    """Return a source that collates rollouts with the advantages of this reward."""

    class OfOneToken:
        tokenizer = type("Tokenizer", (), {"pad_token_id": 0})

    made = "source", "s", OfOneToken, None, Sampling(), 1, {name: judge}, 0
    return Rollouts(*made, judged_by=name, correction=correction)


def expected_update(policy, source, terms, weights, samples, *, sampler=None, expert=None, rows=2):
    """Return the gradient of an update, expected over every group of so many samples.

    Whatever the terms' conditions say of a group is held constant. expert: a response that is one
    row more of each group, apart from its baseline.
    """
    sampler = sampler or policy
    (name, judge), facts = next(iter(source.rewards.items())), {f for t in terms for f in t.facts}
    total = torch.zeros_like(policy.logits)
    for batch in itertools.product(RESPONSES, repeat=samples):
        rollouts = rollouts_of(sampler, batch)
        if expert is not None:
            (own,) = rollouts_of(policy, [expert])
            rollouts.append(replace(own, given=len(expert), apart=True))
        tokens = source.collate(rollouts, {name: judge.compute(rollouts)}, facts)
        policy.logits.grad = None
        accumulated_means(policy, terms, weights, {terms[0].source: tokens}, rows)
        likely = torch.stack([sampler.logp(ids) for ids in batch]).sum().exp().detach()
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


def close(result, expected):
    # Advantages and the sampler's log-probabilities are kept in float32.
    assert expected.norm() > 1e-2
    return (result - expected).norm() < 1e-6 * expected.norm()
