"""Rows are computed together with the least padding: the budget holds, each row comes once."""

import random
from itertools import combinations

import pytest
import torch

from uniapl_cli.partition import default_tokens, partition, pass_tokens


def cost(groups, lengths, a_pass):
    return sum(len(group) * max(lengths[row] for row in group) + a_pass for group in groups)


def drawn(seed, most=40):
    rng = random.Random(seed)
    return [rng.choice([1, 2, 3, 8, 9, 40, 100]) for _ in range(rng.randrange(1, most))]


def groups_of(lengths, budget, a_pass):
    return [group.tolist() for group in partition(torch.tensor(lengths), budget, a_pass)]


@pytest.mark.parametrize("budget", [1, 50, 200, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_each_row_comes_once_and_the_budget_holds(seed, budget):
    lengths = drawn(seed)
    groups = groups_of(lengths, budget, 10)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[row] for row in group) <= budget


@pytest.mark.parametrize("a_pass", [0, 3, 100])
@pytest.mark.parametrize("seed", range(8))
def test_no_other_groups_cost_less(seed, a_pass):
    """Against every way to cut up to seven sorted rows."""
    lengths, budget = drawn(seed, 8), 120
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    found = cost(groups_of(lengths, budget, a_pass), lengths, a_pass)
    for count in range(len(rows)):
        for cuts in combinations(range(1, len(rows)), count):
            ends = [0, *cuts, len(rows)]
            groups = [rows[a:b] for a, b in zip(ends, ends[1:], strict=False)]
            if all(len(g) == 1 or len(g) * lengths[g[0]] <= budget for g in groups):
                assert found <= cost(groups, lengths, a_pass)


def test_a_dear_pass_is_filled_and_a_cheap_one_has_no_padding():
    lengths = [9, 2, 8, 1]
    assert groups_of(lengths, 99, 1000) == [[0, 2, 1, 3]]
    assert groups_of(lengths, 99, 0) == [[0], [2], [1], [3]]
    assert groups_of(lengths, 18, 2) == [[0, 2], [1, 3]]


def test_a_row_longer_than_the_budget_is_a_group_of_its_own():
    assert groups_of([5, 700, 5, 600], 10, 1) == [[1], [3], [0, 2]]


def test_the_longest_rows_come_first():
    """So that what does not fit into the memory shows at once."""
    widest = [max(group) for group in groups_of(list(range(1, 60)), 200, 5)]
    assert widest == sorted(widest, reverse=True)


def test_no_rows_are_no_groups():
    assert partition(torch.tensor([], dtype=torch.long), 9, 1) == []


def test_any_device_has_a_budget():
    for device in ("cpu", "cuda", "mps"):
        assert default_tokens(device) > pass_tokens(device) > 0
