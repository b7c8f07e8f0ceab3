"""Scores of the data alone are computed once, batch-invariantly; texts are their key."""

from uniapl_cli.discriminators import CachedDiscriminator
from uniapl_cli.types import Comparison


class Counting:
    """Scores by the order of the calls, so that a second computation has another score."""

    def __init__(self):
        self.calls = []

    def score(self, comparisons, *, batch_invariant=False):
        self.calls += [(comparison, batch_invariant) for comparison in comparisons]
        return [float(len(self.calls) - len(comparisons) + n) for n in range(len(comparisons))]


A, B, C = (Comparison("Hi", "So.", text, text) for text in "abc")


def test_a_fixed_score_is_computed_once_and_alone():
    judge = Counting()
    cached = CachedDiscriminator(judge)
    assert cached.fixed([A, B, A]) == [0, 1, 0]
    assert cached.fixed([C, B]) == [2, 1]
    assert judge.calls == [(A, True), (B, True), (C, True)]


def test_any_other_score_is_computed_each_time():
    judge = Counting()
    cached = CachedDiscriminator(judge)
    assert cached.fixed([A]) + cached.score([A, A]) == [0, 1, 2]
    assert judge.calls == [(A, True), (A, False), (A, False)]


def test_texts_are_told_apart_where_one_ends_and_the_next_begins():
    """And not by the row that they came from."""
    cached = CachedDiscriminator(Counting())
    pairs = [Comparison("ab", "c", "d", "1"), Comparison("a", "bc", "d", "1")]
    assert cached.fixed(pairs) == [0, 1]
    assert cached.fixed([Comparison("ab", "c", "d", "2")]) == [0]
