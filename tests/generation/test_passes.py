"""What is read together: every option once, the fewest tokens, within the budget."""

import itertools
import random

import numpy as np
import pytest

from uniapl_cli.generation.passes import Group, batches, groups, rows_of


def random_rows(rng, count):
    """Contexts that begin alike in many ways, nested and repeated."""
    rows = []
    for number in range(count):
        context = [rng.choice([1, 1, 1, 2]) for _ in range(rng.randint(1, 12))]
        options = [[7] * rng.choice([1, 1, 3]) for _ in range(rng.randint(1, 4))]
        rows += rows_of(number, context, options, longest=rng.choice([0, 100]))
    return rows


def cost_of(planned, cost):
    return sum(group.length + (cost if group.shared else 0) for group in planned)


@pytest.mark.parametrize("seed", range(20))
def test_every_row_is_in_one_group_whose_rows_begin_alike(seed):
    rows = random_rows(random.Random(seed), 30)
    planned = groups(rows, cost=3)
    assert sorted(id(row) for group in planned for row in group.rows) == sorted(map(id, rows))
    for group in planned:
        beginnings = {tuple(row.context[: group.shared]) for row in group.rows}
        assert len(beginnings) == 1 or not group.shared
        assert all(len(row.context) > group.shared for row in group.rows)
    assert cost_of(planned, 3) <= sum(row.length for row in rows)
    longest = [max(row.length for row in group.rows) for group in planned]
    assert longest == sorted(longest, reverse=True)


def partitions(items):
    """All ways to put items into groups."""
    if not items:
        yield []
        return
    first, *others = items
    for rest in partitions(others):
        yield [[first], *rest]
        for number, part in enumerate(rest):
            yield [*rest[:number], [first, *part], *rest[number + 1 :]]


def common(rows):
    """How many ids of their contexts all rows can share."""
    most = min(len(row.context) for row in rows) - 1
    columns = zip(*(row.context[:most].tolist() for row in rows), strict=True)
    return len(list(itertools.takewhile(lambda ids: len(set(ids)) == 1, columns)))


def whole(part, rows):
    """Whether no row beside begins as all of the part do."""
    ids = part[0].context[: common(part)].tolist()
    beside = [row.context[:-1] for row in rows if not any(row is one for one in part)]
    return len(part) == 1 or all(context[: len(ids)].tolist() != ids for context in beside)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("cost", [0, 4])
def test_no_other_groups_read_fewer_tokens(seed, cost):
    """Of those that all rows with their beginning are in."""
    rows = random_rows(random.Random(seed), 4)[:6]
    best = min(
        cost_of([Group(common(part) if len(part) > 1 else 0, part) for part in parts], cost)
        for parts in partitions(rows)
        if all(whole(part, rows) for part in parts)
    )
    assert cost_of(groups(rows, cost), cost) == best


def test_contexts_nested_a_thousand_deep_are_grouped():
    rows = [
        row for n in range(1, 1500) for row in rows_of(n, [5] * n, [[1], [2, 3]], longest=10**6)
    ]
    planned = groups(rows, cost=10)
    assert sum(len(group.rows) for group in planned) == len(rows)


@pytest.mark.parametrize("tokens, held", [(40, 10**6), (10**6, 60), (1, 1)])
def test_batches_keep_to_their_bounds(tokens, held):
    rng = random.Random(1)
    rows = [rows_of(n, [5] * rng.randint(5, 20), [[1, 2]], longest=99)[0] for n in range(40)]
    group = Group(4, rows)
    found = list(batches(group, tokens=tokens, held=held, cost=30))
    assert sorted(id(row) for batch in found for row in batch) == sorted(map(id, rows))
    for batch in found:
        width = max(row.length for row in batch) - group.shared
        assert len(batch) == 1 or len(batch) * width <= tokens
        assert len(batch) == 1 or len(batch) * (width + group.shared) <= held


def test_short_rows_are_not_padded_to_more_than_twice_their_length():
    rows = [rows_of(n, [5] * length, [[1]], longest=99)[0] for n, length in enumerate([40, 9, 9])]
    found = batches(Group(0, rows), tokens=1000, held=1000, cost=30)
    assert [[len(row.context) for row in batch] for batch in found] == [[40], [9, 9]]


def test_options_share_a_row_unless_it_is_too_long():
    options = [[1], [2, 3, 4], [5], [6, 7]]
    (row,) = rows_of(0, [9, 9], options, longest=5)
    assert row.length == 5 and len(row.options) == 4
    rows = rows_of(0, [9, 9], options, longest=4)
    assert [[number for number, _ in row.options] for row in rows] == [[0, 2, 1], [3]]
    assert all(np.array_equal(row.context, [9, 9]) for row in rows)
    assert len(rows_of(0, [9, 9], [[1], [2]], longest=0)) == 1
