"""Totals of log-probabilities: a naive float64 log_softmax, training's own, in any batch."""

from __future__ import annotations

import random

import pytest
import torch

from uniapl_cli.analysis.totals import batches, totals
from uniapl_cli.data.collate import pad_rows
from uniapl_cli.errors import ModelError
from uniapl_cli.tensors import TokenBatch


@pytest.fixture(scope="module")
def pairs(tokenizer):
    ids = random.Random(0)
    size = len(tokenizer)
    return [
        ([ids.randrange(size) for _ in range(n % 5 + 1)], [ids.randrange(size) for _ in range(n)])
        for n in (7, 1, 12, 3, 3, 20)
    ]


def naive(model, pair):
    """One row without padding, whole logits in float64."""
    prompt, response = pair
    ids = torch.tensor([[*prompt, *response]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0].double()
    logps = torch.log_softmax(logits, -1)
    places = range(len(prompt) - 1, len(prompt) + len(response) - 1)
    return sum(float(logps[at, ids[0, at + 1]]) for at in places)


def test_they_are_the_naive_ones(new_policy, pairs):
    policy = new_policy(3)
    found = totals(policy, pairs)
    assert found == pytest.approx([naive(policy.model, pair) for pair in pairs], rel=1e-5)
    assert all(total < 0 for total in found)


def test_they_are_trainings_reference_logps(new_policy, pairs):
    policy = new_policy(3)
    tokens, mask = pad_rows(pairs, pad_id=0)
    batch = TokenBatch(tokens, mask).with_reference(lambda one: policy.forward(one).detach())
    assert totals(policy, pairs) == batch.ref_logps.double().sum(1).tolist()


def test_the_batch_does_not_matter(new_policy, pairs):
    policy = new_policy(3)
    whole = totals(policy, pairs)
    alone = [totals(policy, [pair])[0] for pair in pairs]
    assert whole == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("budget", [1, 25, 60, 10_000])
def test_batches_hold_every_pair_once_and_no_more_tokens(pairs, budget):
    planned = batches(pairs, budget)
    assert sorted(index for batch in planned for index in batch) == list(range(len(pairs)))
    for batch in planned:
        longest = max(sum(map(len, pairs[index])) for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


def test_no_logits_of_a_whole_batch(new_policy, pairs, monkeypatch):
    """Only response tokens go through the head."""
    from uniapl_cli.training import scorer as module

    seen = []
    true = module.token_logps

    def noting(hidden, *rest, **options):
        seen.append(len(hidden))
        return true(hidden, *rest, **options)

    monkeypatch.setattr(module, "token_logps", noting)
    totals(new_policy(3), pairs)
    assert seen == [sum(len(response) for _, response in pairs)]


def test_what_is_no_number_is_refused(new_policy, pairs):
    policy = new_policy(3)
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.fill_(float("nan"))
    with pytest.raises(ModelError):
        totals(policy, pairs)
