"""Marks of options by how likely they are."""

from __future__ import annotations

import math

from uniapl_cli.evaluation.benchmarks import Benchmark, ChoiceItem
from uniapl_cli.types import Likelihood

ITEM = ChoiceItem("row", "2 + 2 =", (" 3", " 4", " 5"), gold=1)


def _choose(*logps: float) -> tuple[dict[str, tuple[float, float]], str | None]:
    graded = Benchmark().choose(ITEM, [Likelihood(logp, 1, False) for logp in logps])
    return dict(graded.marks), graded.read


def test_the_likeliest_option_is_taken_and_the_first_of_equals():
    assert _choose(-3.0, -1.0, -2.0) == ({"accuracy": (1.0, 1.0)}, "4")
    assert _choose(-3.0, -2.0, -1.0) == ({"accuracy": (0.0, 1.0)}, "5")
    assert _choose(-1.0, -1.0, -1.0) == ({"accuracy": (0.0, 1.0)}, "3")
    assert _choose(-math.inf, -9.0, -math.inf) == ({"accuracy": (1.0, 1.0)}, "4")


def test_what_is_not_a_number_takes_no_option():
    assert _choose(math.nan, -1.0, -2.0) == ({"accuracy": (0.0, 1.0)}, None)
    assert _choose(-2.0, -1.0, math.nan) == ({"accuracy": (0.0, 1.0)}, None)
