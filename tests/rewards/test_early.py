"""Values computed beside the sampling are those of the groups in order; a stop does not wait."""

import threading

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.rewards.early import EarlyValues
from uniapl_cli.rewards.values import Values
from uniapl_cli.runs.signals import Interrupted

PATIENCE = 30


class Slow:
    """A reward whose values of a group come when they are let."""

    def __init__(self):
        self.begun, self.let, self.seen = threading.Event(), threading.Event(), []

    def early_values(self, rollouts):
        self.begun.set()
        assert self.let.wait(PATIENCE)
        self.seen.append(rollouts)
        return Values({"length": [float(len(text)) for text in rollouts]})


class Failing:
    def early_values(self, rollouts):
        raise DataError("no such answer")


def test_values_are_in_the_order_of_the_groups():
    slow = Slow()
    with EarlyValues({"r": slow}) as values:
        values.begin(1, ["abc"])
        values.begin(0, ["a", "ab"])
        slow.let.set()
        lengths = [of_group["r"].numbers["length"] for of_group in values.collect()]
        assert lengths == [[1.0, 2.0], [3.0]]


def test_an_error_is_raised_where_values_are_collected():
    with pytest.raises(DataError), EarlyValues({"r": Failing()}) as values:
        values.begin(0, [])
        values.collect()


def test_a_signal_waits_for_no_group():
    slow = Slow()
    with pytest.raises(Interrupted), EarlyValues({"r": slow}) as values:
        for group in range(3):
            values.begin(group, ["a"])
        assert slow.begun.wait(PATIENCE)
        raise Interrupted
    assert slow.seen == []
    slow.let.set()
    values._thread.join(PATIENCE)
    assert slow.seen == [["a"]]  # the others were dropped


def test_an_error_waits_for_the_group_under_way_and_drops_the_rest():
    slow = Slow()
    with pytest.raises(ZeroDivisionError), EarlyValues({"r": slow}) as values:
        values.begin(0, ["a"])
        values.begin(1, ["b"])
        assert slow.begun.wait(PATIENCE)
        threading.Timer(0.05, slow.let.set).start()
        raise ZeroDivisionError
    assert slow.seen == [["a"]]
