"""Ranks are dealt every row of a step once; those with parts of the weights pass equally often."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.batches import ChoiceBatch, LabelledBatch, PairBatch
from uniapl_cli.ranks import Ranks
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.dealing import dealt, padded_tokens

PASS = 4
# The machine may be busy.
FEW = settings(max_examples=40, deadline=None)
lengths = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def batch_of(lengths):
    """Rows of which each is known by its first token."""
    rows, width = len(lengths), max(lengths)
    tokens = torch.arange(rows).unsqueeze(1).expand(rows, width + 1)
    return TokenBatch(tokens.clone(), torch.arange(width) < torch.tensor(lengths).unsqueeze(1))


def by_rank(batch, tokens, world, sharded=False):
    found = []
    for number in range(world):
        ranks = Ranks()
        ranks.rank, ranks.world, ranks.sharded = number, world, sharded
        found.append(dealt(ranks, batch, tokens, PASS))
    return found


def counted(micros):
    """The rows that count, by the number of their tokens that do."""
    return {
        int(row[0]): int(mask.sum())
        for micro in micros
        for row, mask in zip(micro.tokens, micro.loss_mask, strict=True)
        if mask.any()
    }


@FEW
@given(lengths, st.integers(1, 90), st.integers(1, 6), st.booleans())
def test_every_row_is_dealt_once_and_whole(lengths, tokens, world, sharded):
    parts = [counted(mine) for mine in by_rank(batch_of(lengths), tokens, world, sharded)]
    assert sum(map(len, parts)) == len(lengths)
    assert {k: v for part in parts for k, v in part.items()} == dict(enumerate(lengths))


@FEW
@given(lengths, st.integers(1, 90), st.integers(1, 6))
def test_micro_batches_have_room_or_one_row(lengths, tokens, world):
    for micro in (m for mine in by_rank(batch_of(lengths), tokens, world) for m in mine):
        assert padded_tokens(micro) <= tokens or len(micro.loss_mask) == 1


@FEW
@given(lengths, st.integers(1, 90), st.integers(1, 6))
def test_no_rank_has_nothing_while_there_are_rows_enough(lengths, tokens, world):
    found = by_rank(batch_of(lengths), tokens, world)
    assert sum(map(bool, found)) == min(world, len(lengths))


@FEW
@given(lengths, st.integers(1, 90), st.integers(1, 6))
def test_who_holds_parts_passes_as_often_as_all_others(lengths, tokens, world):
    found = by_rank(batch_of(lengths), tokens, world, sharded=True)
    assert len({len(mine) for mine in found}) == 1
    extra = [m for mine in found for m in mine if not m.loss_mask.any()]
    assert all(len(micro.loss_mask) == 1 for micro in extra)


@FEW
@given(lengths, st.integers(1, 90), st.integers(2, 6))
def test_the_micro_batches_of_enough_rows_are_those_of_one_process(lengths, tokens, world):
    (alone,) = by_rank(batch_of(lengths), tokens, 1)
    if len(alone) < world:
        return
    found = [m for mine in by_rank(batch_of(lengths), tokens, world) for m in mine]
    rows = [sorted(tuple(m.tokens[:, 0].tolist()) for m in micros) for micros in (alone, found)]
    assert rows[0] == rows[1]


def labelled(answers):
    return LabelledBatch(answers, torch.tensor([True, False, True]), answers)


def pairs(answers):
    ids = answers.tokens.unsqueeze(1).expand(-1, 2, -1)
    return PairBatch(ids, answers.loss_mask.sum(1, keepdim=True).expand(-1, 2))


BATCHES = {
    "tokens": (3, lambda answers: answers),
    "choices": (6, ChoiceBatch),
    "labels": (3, labelled),
    "pairs": (3, pairs),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_of_each_kind_there_is_one_that_counts_nothing(kind):
    rows, make = BATCHES[kind]
    batch = make(batch_of([5, 2, 7, 3, 4, 6][:rows]))
    first, second = by_rank(batch, 1, 2, sharded=True)
    assert [len(first), len(second)] == [2, 2]
    counts = sorted(int(m.loss_mask.sum()) for m in [*first, *second])
    assert counts == [0, 1, 1, 1] if kind != "tokens" else counts[0] == 0 < counts[1]
    (empty,) = [m for m in [*first, *second] if not m.loss_mask.any()]
    assert type(empty) is type(batch) and padded_tokens(empty) >= 1
