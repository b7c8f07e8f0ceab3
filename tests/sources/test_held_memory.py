"""A memory gives what waits in it in the published order, loses nothing and goes on from JSON."""

import json

import pytest

from uniapl_cli.sources.memory import HeldRow, Memory


def row(name):
    ids = tuple(map(ord, name))
    return HeldRow(ids, (ids,), (-0.1, 0.3 / 7), {"worth": 1 / 3})


def names(rows):
    return ["".join(map(chr, one.prompt)) for one in rows]


def memory(size=3, order="newest", keeps=False, capacity=100, seed=0):
    return Memory(size, order, keeps, capacity, seed)


# ReLIFT's buffer: what all got wrong at each step, and what then is taught and left.
RELIFT = [
    (
        3,
        ["ab", "c", "def", "", "g"],
        [("", "ab"), ("cab", ""), ("def", ""), ("", ""), ("", "g")],
    ),
    (
        4,
        ["a", "bcd", "ef", "ghi"],
        [("", "a"), ("bcda", ""), ("", "ef"), ("ghie", "f")],
    ),
]


@pytest.mark.parametrize(("size", "found", "steps"), RELIFT)
def test_relifts_buffer_takes_the_newest_first(size, found, steps):
    held = memory(size)
    for step, (new, (taken, left)) in enumerate(zip(found, steps, strict=True)):
        held.add([row(name) for name in new])
        assert names(held.take(step)) == [*taken]
        assert names(held.rows) == [*left]


def test_the_oldest_are_taken_in_the_order_of_their_coming():
    held, taken = memory(2, "oldest"), []
    for step, new in enumerate(["abc", "", "de", "f"]):
        held.add([row(name) for name in new])
        taken += names(held.take(step))
    assert taken == [*"abcdef"] and not held.rows


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_nothing_is_lost_or_taken_twice(order):
    held, taken = memory(4, order), []
    for step in range(12):
        held.add([row(chr(65 + 3 * step + n)) for n in range(3)])
        taken += names(held.take(step))
    assert sorted(taken + names(held.rows)) == [chr(65 + n) for n in range(36)]


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_without_a_size_all_of_a_step_is_its_batch(order):
    held = memory(None, order)
    for step, new in enumerate(["ab", "", "c"]):
        held.add([row(name) for name in new])
        assert names(held.take(step)) == [*new] and not held.rows


def test_what_is_kept_may_be_taken_again():
    held = memory(3, "random", keeps=True)
    held.add([row(name) for name in "abcde"])
    drawn = [names(held.take(step)) for step in range(200)]
    assert names(held.rows) == [*"abcde"]
    assert all(len(set(taken)) == 3 for taken in drawn)
    counts = [sum(name in taken for taken in drawn) for name in "abcde"]
    assert all(90 < count < 150 for count in counts)


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_beyond_its_capacity_the_oldest_go(order):
    held = memory(9, order, capacity=3)
    for name in "abcde":
        held.add([row(name)])
    assert set(names(held.rows)) == {*"cde"}


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_a_memory_goes_on_from_json_to_the_bit(order):
    def step(held, number):
        held.add([row(chr(65 + 2 * number + n)) for n in range(2)])
        return held.take(number)

    whole = memory(3, order)
    taken = [step(whole, number) for number in range(9)]
    first = memory(3, order)
    assert [step(first, number) for number in range(4)] == taken[:4]
    kept = first.state_dict()
    text = json.dumps(kept)
    second = memory(3, order)
    second.load_state_dict(json.loads(text))
    assert second.rows == first.rows
    assert [step(second, number) for number in range(4, 9)] == taken[4:]
    step(first, 4)
    assert json.dumps(kept) == text
