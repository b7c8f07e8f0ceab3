"""What ranks share out comes together again, each part once; what they are dealt is even."""

from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.ranks import ALONE, Ranks

# The machine may be busy.
FEW = settings(max_examples=40, deadline=None)
worlds = st.integers(1, 9)
sizes = st.lists(st.integers(1, 1000), max_size=40)


def all_of(world):
    ranks = [Ranks() for _ in range(world)]
    for number, one in enumerate(ranks):
        one.rank, one.world = number, world
    return ranks


@FEW
@given(worlds, sizes)
def test_shares_are_put_together_in_order(world, items):
    shares = [one.share(items) for one in all_of(world)]
    assert all(one.shared(shares) == items for one in all_of(world))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@FEW
@given(worlds, sizes)
def test_each_part_is_dealt_once_in_order_and_as_many_to_all(world, items):
    parts = list(enumerate(items))
    dealt = [one.deal(parts, lambda part: part[1]) for one in all_of(world)]
    assert sorted(part for mine in dealt for part in mine) == parts
    assert all(mine == sorted(mine) for mine in dealt)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


@FEW
@given(worlds, sizes)
def test_what_is_dealt_is_even_but_for_the_largest_part(world, items):
    totals = [sum(one.deal(items, int)) for one in all_of(world)]
    assert max(totals) - min(totals) <= max(items, default=0)


def test_the_largest_parts_go_round_and_back():
    dealt = [one.deal([4, 9, 7, 1, 6], int) for one in all_of(2)]
    assert dealt == [[4, 9, 1], [7, 6]]


def test_one_process_has_everything_and_waits_for_nobody():
    assert ALONE.share([1, 2]) == ALONE.deal([1, 2], int) == ALONE.shared([[1, 2]]) == [1, 2]
    assert ALONE.gather("part", "a test") == ["part"] == [ALONE.of_first(lambda: "part", "a test")]
