"""Every row is seen once a pass, and a stream goes on exactly where it was."""

import itertools
from collections import Counter

import pytest

from uniapl_cli.errors import RunError
from uniapl_cli.training.streams import Stream

ITEMS = "abcdefg"


def stream(size=3, seed=0, name="prompts", items=ITEMS):
    return Stream(name, items, size, seed)


def drawn(stream, batches):
    return list(itertools.chain.from_iterable(stream.next() for _ in range(batches)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 20])
def test_every_item_comes_once_a_pass(size):
    items = drawn(stream(size), 3 * len(ITEMS))
    passes = [items[start : start + 7] for start in range(0, len(items) - 6, 7)]
    assert len(passes) == 3 * size
    assert all(Counter(one) == Counter(ITEMS) for one in passes)


def test_a_batch_has_its_size_even_over_the_end_of_a_pass():
    one = stream(5)
    assert [len(one.next()) for _ in range(10)] == [5] * 10


def test_the_size_of_a_batch_does_not_change_the_order():
    assert drawn(stream(2), 15) == drawn(stream(6), 5)


def test_each_pass_has_an_order_of_its_own():
    items = drawn(stream(7), 20)
    assert len({tuple(items[start : start + 7]) for start in range(0, 140, 7)}) > 15


def test_the_order_depends_on_seed_and_name_alone():
    assert drawn(stream(), 9) == drawn(stream(), 9)
    assert drawn(stream(), 9) != drawn(stream(seed=1), 9)
    assert drawn(stream(), 9) != drawn(stream(name="demonstrations"), 9)


@pytest.mark.parametrize("before", [0, 1, 2, 3, 7, 50])
def test_a_restored_stream_goes_on_where_it_was(before):
    one, other = stream(), stream()
    drawn(one, before)
    other.load_state_dict(one.state_dict())
    assert drawn(other, 20) == drawn(one, 20)


def test_a_stream_that_has_moved_can_be_put_back():
    one = stream()
    drawn(one, 4)
    state = one.state_dict()
    expected = drawn(one, 5)
    one.load_state_dict(state)
    assert drawn(one, 5) == expected


def test_data_of_another_size_are_refused():
    state = stream().state_dict()
    with pytest.raises(RunError) as caught:
        stream(items=ITEMS[:-1]).load_state_dict(state)
    assert (caught.value.got, caught.value.allowed) == (6, ("7",))


def test_further_items_are_the_next_ones():
    whole, parts = Stream("rows", range(7), 5, 0), Stream("rows", range(7), 3, 0)
    items = [*parts.next(), *parts.next(2)]
    assert items == whole.next()
    assert parts.state_dict() == whole.state_dict()
