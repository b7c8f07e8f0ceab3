"""What ranks say of themselves through the launcher's store; each is a watch in this process."""

import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from torch.distributed import PrefixStore, TCPStore

from uniapl_cli.errors import RunError
from uniapl_cli.ranks import watch as watching
from uniapl_cli.ranks.failures import Failure, RankFailed, RanksLost
from uniapl_cli.ranks.inquest import Inquest
from uniapl_cli.ranks.watch import Watch
from uniapl_cli.runs.signals import Stopped


@pytest.fixture
def store():
    """The launcher's store."""
    return TCPStore("localhost", 0, is_master=True, timeout=timedelta(seconds=20))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watching, "BEAT", 0.02)
    monkeypatch.setattr(watching, "SILENCE", 0.5)
    monkeypatch.setattr(watching, "ALIKE", 0.5)


@contextmanager
def watches(store, world):
    """A watch for each rank."""
    ended = []
    all_of = [
        Watch(PrefixStore("watch", store.clone()), rank, world, ended.append)
        for rank in range(world)
    ]
    try:
        yield all_of
    finally:
        for one in all_of:
            one.end()
    assert not ended


def inquest(watch):
    return Inquest(watch, "sampling of step 3", 5.0)


def test_a_failure_is_heard_by_all_and_the_first_rank_talks(store):
    with watches(store, 3) as (first, second, third):
        assert second.fail(Failure(1, "rank 1: no")) is False
        assert first.heard() == third.heard() == Failure(1, "rank 1: no")
        assert third.fail(Failure(2, "rank 2: neither")) is False
        assert first.heard() == Failure(1, "rank 1: no")  # the first that was told
        error = inquest(first).lost()
        assert isinstance(error, RankFailed) and str(error) == "rank 1: no"


def test_who_gives_no_sign_of_life_is_named_and_another_one_talks_for_the_first(store):
    with watches(store, 3) as (first, second, third):
        first.end()
        error = inquest(second).lost(RuntimeError("Connection reset"))
        assert isinstance(error, RanksLost) and error.got == [0]
        assert str(error).startswith("rank 0 has ended, in sampling of step 3. Repeat the command")
        assert second.fail(Failure(1, str(error))) is True
        assert third.fail(Failure(2, str(error))) is False  # one does


def test_who_has_not_come_is_named_with_where_it_was(store):
    with watches(store, 2) as (first, second):
        first.at(4, "sampling of step 3")
        second.at(3, "the report of step 2")
        error = inquest(first).late(4)
        assert error.got == [1] and "(rank 1 was last at the report of step 2)" in str(error)
        assert "within parallel.timeout = 5 s" in str(error)


def test_of_a_call_that_timed_out_those_are_named_that_still_wait(store):
    with watches(store, 3) as (first, second, _):
        second.give_up()
        error = inquest(first).lost(RuntimeError("gloo: Timed out waiting 5000ms"))
        assert error.got == [2] and "rank 2 did not come to sampling of step 3" in str(error)


def test_a_mistake_that_all_make_is_each_ones_own(store):
    with watches(store, 2) as (first, second):
        mistake = RunError("no such folder")
        first.fail(Failure(0, "rank 0: no such folder"))
        began = time.monotonic()
        second.first_differs(1)  # the first one has failed: there is nothing to wait for
        assert time.monotonic() - began < watching.ALIKE / 2
        assert inquest(second).cause(mistake, "no such folder") is mistake
        other = inquest(second).cause(RunError("no such file"), "no such file")
        assert str(other) == "rank 0: no such folder"


def test_a_rank_that_has_come_on_makes_no_such_mistake(store):
    with watches(store, 2) as (first, second):
        first.at(1, "the start")
        began = time.monotonic()
        second.first_differs(1)
        assert time.monotonic() - began < watching.ALIKE / 2
        second.first_differs(2)
        assert time.monotonic() - began > watching.ALIKE


def test_a_stop_by_the_launcher_names_a_rank_that_is_gone(store):
    with watches(store, 2) as (first, second):
        stop = Stopped(15)
        assert inquest(first).cause(stop, None) is stop  # all live: it is a stop
        second.end()
        assert str(inquest(first).cause(stop, None)).startswith("rank 1 has ended")
        by_hand = Stopped(2)
        assert inquest(first).cause(by_hand, None) is by_hand
