"""What a rank tells the others of its end, and what they make of it."""

import pytest

from uniapl_cli.errors import DataError, ServerError, keep_secret
from uniapl_cli.ranks.failures import (
    Failure,
    RankFailed,
    RanksLost,
    as_error,
    failure_of,
    is_broken,
    is_same,
    named,
    of_rank,
)
from uniapl_cli.runs.signals import Stopped


@pytest.mark.parametrize(
    "ranks, text",
    [([], "no rank"), ([1], "rank 1"), ([1, 3], "ranks 1 and 3"), ([0, 1, 4], "ranks 0, 1 and 4")],
)
def test_ranks_are_named(ranks, text):
    assert named(ranks) == text


def test_a_mistake_is_told_in_the_words_that_its_rank_says_it_in():
    error = DataError("no such row", "Add it", where="a.jsonl:3")
    failure = failure_of(error, 2, str(error))
    assert failure == Failure(2, "rank 2: a.jsonl:3: no such row. Add it")
    assert is_same(failure, str(error)) and not is_same(failure, "no such row")
    assert not is_same(failure, None)
    raised = as_error(failure)
    assert isinstance(raised, RankFailed) and str(raised) == failure.message
    assert failure_of(raised, 0, str(raised)).message == failure.message  # not numbered again


def test_a_bug_is_told_in_a_line_without_secrets_that_names_the_log(tmp_path):
    keep_secret(["hunter2hunter2"])
    failure = failure_of(ValueError("of hunter2hunter2\nand more"), 1, None, tmp_path / "log")
    assert failure.message == f"rank 1: ValueError: of (hidden) ({tmp_path / 'log'} has more)"
    assert not failure.stopped


def test_a_stop_is_nobodys_fault():
    failure = failure_of(Stopped(15), 1)
    assert failure.stopped and isinstance(as_error(failure), KeyboardInterrupt)


def test_what_is_lost_is_told_as_it_is():
    assert failure_of(RanksLost("rank 1 has ended"), 0, "x").message == "rank 1 has ended"


def test_an_error_that_another_rank_sends_keeps_its_kind():
    error = of_rank(1, ServerError("it is away", "Start it", got="http://a"))
    assert isinstance(error, ServerError) and str(error) == "rank 1: it is away. Start it"
    assert error.got == "http://a"


def test_errors_of_connections_are_told_from_others():
    assert is_broken(RuntimeError("[gloo/pair.cc:1] Connection closed by peer"))
    assert not is_broken(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_broken(ValueError("Connection closed"))
