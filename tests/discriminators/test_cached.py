"""What depends on the data only is computed once, batch-invariantly, and told by its texts."""

from uniapl_cli.discriminators import CachedDiscriminator
from uniapl_cli.types import Comparison


class Counting:
    """Scores by the order in which it was asked, so that what is asked again would be told."""

    def __init__(self):
        self.asked = []

    def score(self, comparisons, *, batch_invariant=False):
        self.asked += [(comparison, batch_invariant) for comparison in comparisons]
        return [float(len(self.asked) - len(comparisons) + n) for n in range(len(comparisons))]


A, B, C = (Comparison("Hi", "So.", text, text) for text in "abc")


def test_a_fixed_score_is_asked_once_and_alone():
    judge = Counting()
    cached = CachedDiscriminator(judge)
    assert cached.fixed([A, B, A]) == [0, 1, 0]
    assert cached.fixed([C, B]) == [2, 1]
    assert judge.asked == [(A, True), (B, True), (C, True)]


def test_any_other_score_is_asked_each_time():
    judge = Counting()
    cached = CachedDiscriminator(judge)
    assert cached.fixed([A]) + cached.score([A, A]) == [0, 1, 2]
    assert judge.asked == [(A, True), (A, False), (A, False)]


def test_texts_are_told_apart_where_one_ends_and_the_next_begins():
    """And not by the row that they came from."""
    cached = CachedDiscriminator(Counting())
    pairs = [Comparison("ab", "c", "d", "1"), Comparison("a", "bc", "d", "1")]
    assert cached.fixed(pairs) == [0, 1]
    assert cached.fixed([Comparison("ab", "c", "d", "2")]) == [0]
