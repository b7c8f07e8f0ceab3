"""Workers: in order, ended by an error at any moment, and nothing left."""

import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.pipelines.workers import AHEAD, Workers

pytestmark = pytest.mark.slow  # each process takes 0.3 s to start

MEGABYTE = 2**20


@contextmanager
def started(what):
    yield what


def squared(number):
    time.sleep(0.05 * (number % 3 == 0))
    return number**2


def repeated(text):
    return text * MEGABYTE


def ended(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused(number):
    if number == 3:
        raise DataError("three", where="r:3")
    return number


def wrong(number):
    return number / 0


def running():
    return {*threading.enumerate(), *multiprocessing.active_children()}


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = running()
    yield
    assert running() <= before


def test_results_come_in_the_chunks_order_and_few_chunks_are_read_ahead():
    read = []

    def chunks():
        for number in range(40):
            read.append(number)
            yield number

    with Workers(2, started, (squared,)) as workers:
        for number, result in enumerate(workers.map(chunks())):
            assert result == number**2
            assert len(read) <= number + 1 + 2 * AHEAD
    assert number == 39


def test_no_chunk_is_no_result():
    with Workers(2, started, (squared,)) as workers:
        assert list(workers.map([])) == []


@pytest.mark.parametrize("moment", range(6))
def test_a_block_left_while_results_are_sent_leaves_nothing_to_wait_for(moment):
    """The library's pool hangs here: half a result is in the pipe, and its thread waits."""
    with pytest.raises(KeyError), Workers(2, started, (repeated,)) as workers:
        for _ in zip(range(moment + 1), workers.map(["a"] * 99), strict=False):
            pass
        time.sleep(0.01 * moment)
        began = time.monotonic()
        raise KeyError
    assert time.monotonic() - began < 3


def test_an_error_of_a_worker_is_raised_here():
    with pytest.raises(DataError, match="three"), Workers(2, started, (refused,)) as workers:
        list(workers.map(range(9)))


@pytest.mark.parametrize(("work", "how"), [(ended, "by signal 9"), (wrong, "with exit code 1")])
def test_a_worker_that_ends_is_one_line(work, how, capfd):
    with pytest.raises(UniAPLError, match=how), Workers(2, started, (work,)) as workers:
        list(workers.map(range(9)))
    assert ("ZeroDivisionError" in capfd.readouterr().err) == (work is wrong)
