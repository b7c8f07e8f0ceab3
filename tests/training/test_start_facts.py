"""The rank of a token's entropy is in the whole step: of all micro-batches and all ranks."""

from dataclasses import replace

import pytest
import torch
from threaded_ranks import on_ranks

from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import objectives
from uniapl_cli.readings import Entropy
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.accumulate import accumulate, prepare
from uniapl_cli.training.starting import entropy_rank
from uniapl_cli.training.terms import Term

NLL = objectives["nll"].definition
LENGTHS = [5, 1, 9, 3, 12, 2]
# Prefix-RFT's own operations on ten entropies: its share of 0.2 keeps these (arXiv 2507.01679).
ENTROPIES = [0.1, 1.3, 0.4, 2.2, 0.9, 0.05, 1.7, 0.3, 0.6, 1.1]
KEPT = [0, 0, 0, 1, 0, 0, 1, 0, 0, 0]


def alone(part):
    return [part]


def read(entropies, given=None):
    """Return a micro-batch of one row that has these entropies."""
    values = torch.tensor([entropies])
    mask = torch.ones_like(values, dtype=torch.bool)
    known = {} if given is None else {"given": torch.tensor([given])}
    tokens = torch.zeros(1, values.shape[1] + 1, dtype=torch.long)
    return TokenBatch(tokens, mask, known=known, readings={Entropy(): values})


def term(**parts):
    return Term("term", "s", lambda values: 1.0, NLL, **parts)


TOP = term(tokens=Formula("entropy_rank > 0.8", "truth"))


def test_a_share_of_the_most_uncertain_is_kept_as_the_peer_keeps_it():
    (ranks,) = entropy_rank([read(ENTROPIES, [True] * 10)], alone)
    assert (ranks > 0.8).long().tolist() == [KEPT]
    (plain,) = entropy_rank([read(ENTROPIES)], alone)
    assert torch.equal(plain, ranks)


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_micro_batches_are_ranked_together(cut):
    (whole,) = entropy_rank([read(ENTROPIES)], alone)
    parts = entropy_rank([read(ENTROPIES[:cut]), read(ENTROPIES[cut:])], alone)
    assert torch.equal(torch.cat(parts, 1), whole)


def test_tokens_are_compared_with_those_of_their_origin():
    given = [True] * 3 + [False] * 7
    (ranks,) = entropy_rank([read(ENTROPIES, given)], alone)
    (first,) = entropy_rank([read(ENTROPIES[:3])], alone)
    (rest,) = entropy_rank([read(ENTROPIES[3:])], alone)
    assert torch.equal(ranks, torch.cat([first, rest], 1))


def test_equal_entropies_rank_alike_and_what_does_not_count_is_not_compared():
    micro = read([0.5, 0.5, 2.0, 0.1])
    micro = replace(micro, loss_mask=torch.tensor([[True, True, False, True]]))
    assert entropy_rank([micro], alone)[0].tolist() == [[1, 1, 0, pytest.approx(1 / 3)]]


def test_ranks_without_anything_take_part():
    def job(ranks):
        mine = [read(ENTROPIES)] if ranks.first else []
        return entropy_rank(mine, lambda part: ranks.gather(part, "ranking"))

    (found,), none = on_ranks(2, job)
    assert torch.equal(found, entropy_rank([read(ENTROPIES)], alone)[0])
    assert none == []


def prepared(policy, batch, rows, one=TOP):
    tokens = {"s": rows * max(LENGTHS) + 3 * rows}
    return prepare(policy, [one], {"s": batch}, tokens)["s"]


def ranks_by_token(micros):
    """Return the rank of each token that counts, by the row's tokens and its place."""
    found = {}
    for micro in micros:
        for row, mask, rank in zip(
            micro.tokens, micro.loss_mask, micro.known["entropy_rank"], strict=True
        ):
            ids = tuple(row[1:][mask].tolist())
            found |= {(ids, place): float(r) for place, r in enumerate(rank[mask])}
    return found


def test_the_step_knows_the_rank_whatever_the_micro_batches(new_policy, new_batch):
    batch = new_batch(LENGTHS)
    whole, parts = (prepared(new_policy(), batch, rows) for rows in (99, 1))
    assert len(whole) == 1 and len(parts) > 3
    assert ranks_by_token(parts) == pytest.approx(ranks_by_token(whole), abs=1 / sum(LENGTHS))
    assert sorted(ranks_by_token(whole).values())[-1] == 1


def test_the_learner_is_ranked_before_the_first_update(new_policy, new_batch):
    policy = new_policy()
    micros = prepared(policy, new_batch(LENGTHS), 2)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(torch.randn_like(weight))
    means, again = accumulate(policy, [TOP], {"term": 1.0}, {"s": micros})
    assert all(a is b for a, b in zip(again["s"], micros, strict=True))
    assert means["term"].count == pytest.approx(0.2 * sum(LENGTHS), abs=1)


def test_every_rank_knows_what_one_would(new_policy, new_batch):
    batch, policies = new_batch(LENGTHS), [new_policy(), new_policy()]

    def job(ranks):
        policy = policies[ranks.rank]
        policy.ranks = ranks
        return ranks_by_token(prepared(policy, batch, 1))

    first, second = on_ranks(2, job)
    assert not first.keys() & second.keys()
    expected = ranks_by_token(prepared(new_policy(), batch, 1))
    assert {**first, **second} == pytest.approx(expected, abs=1e-6)


def test_nothing_is_read_unless_a_term_names_it(new_policy, new_batch):
    policy, passes = new_policy(), []
    policy.net.backbone.register_forward_hook(lambda *_: passes.append(1))
    (micro,) = prepared(policy, new_batch(LENGTHS), 99, term())
    assert passes == [] and not micro.known
    prepared(policy, new_batch(LENGTHS), 99)
    assert passes == [1]
