"""Whether a score knows what passes: how often a passing response has more than a failing one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uniapl_cli.analysis.resampling import interval, plain, resampled

# What is left out on each side of a 95% interval.
TAIL = 0.025


@dataclass(frozen=True)
class Agreement:
    """A share of pairs of a passing and a failing response that a score orders rightly.

    Equal scores count half; 0.5 is what chance does. low, high: the 95% interval by resampling
    prompts. n: the pairs. prompts: those with a pair. NaN where there is none.
    """

    value: float
    low: float
    high: float
    n: int
    prompts: int

    def plain(self) -> dict[str, float | int | None]:
        """Return it as JSON holds it."""
        numbers = plain(value=self.value, low=self.low, high=self.high)
        return {**numbers, "n": self.n, "prompts": self.prompts}


def overall(scores: Sequence[float], passed: Sequence[bool], prompt: Sequence[int]) -> Agreement:
    """Return the agreement over all pairs: the area under the ROC curve.

    prompt: the index of each response's prompt. Raises nothing where all pass, or all fail.
    """
    pairs = _Pairs(np.asarray(scores, float), np.asarray(passed, bool), np.asarray(prompt, int))
    total = int(pairs.passed.sum()) * int((~pairs.passed).sum())
    if not total:
        return Agreement(math.nan, math.nan, math.nan, 0, 0)
    again = resampled(lambda weights: pairs.share(weights), pairs.count)
    value = float(pairs.share(np.ones(pairs.count)))
    return Agreement(value, *_ends(value, again, pairs.apart), total, pairs.count)


def within(scores: Sequence[float], passed: Sequence[bool], prompt: Sequence[int]) -> Agreement:
    """Return the agreement over the pairs of one prompt, each pair counting once."""
    by_prompt: dict[int, tuple[list[float], list[float]]] = {}
    for score, ok, which in zip(scores, passed, prompt, strict=True):
        by_prompt.setdefault(which, ([], []))[bool(ok)].append(score)
    both = [
        (np.array(fails), np.array(wins)) for fails, wins in by_prompt.values() if fails and wins
    ]
    if not both:
        return Agreement(math.nan, math.nan, math.nan, 0, 0)
    right = np.array([_right(wins, fails) for fails, wins in both])
    counts = np.array([len(fails) * len(wins) for fails, wins in both], float)
    again = resampled(lambda weights: weights @ right / (weights @ counts), len(both))
    value = float(right.sum() / counts.sum())
    return Agreement(value, *_ends(value, again, len(both)), int(counts.sum()), len(both))


def _ends(value: float, again: Any, apart: int) -> tuple[float, float]:
    """Return the interval's ends. apart: how many of the pairs have no prompt in common.

    Where no pair is ordered otherwise, no resampled one is either. Then the interval is that of
    Clopper and Pearson 1934 for as many trials as there are pairs apart: k of k are right with a
    probability of 2.5% where the true share is 0.025^(1/k).
    """
    low, high = interval(again)
    if value == 1:
        low = min(low, TAIL ** (1 / apart))
    if value == 0:
        high = max(high, 1 - TAIL ** (1 / apart))
    return low, high


def _right(wins: Any, fails: Any) -> float:
    """Return how many pairs are ordered rightly."""
    difference = wins[:, None] - fails[None, :]
    return float((difference > 0).sum() + (difference == 0).sum() / 2)


class _Pairs:
    """Responses in the order of their scores."""

    def __init__(self, scores: Any, passed: Any, prompt: Any) -> None:
        order = np.argsort(scores, kind="stable")
        self.passed = passed[order]
        distinct, self.prompt = np.unique(prompt[order], return_inverse=True)
        self.count = len(distinct)
        # A pair apart takes a prompt with a passing response, one with a failing, and no other's.
        sides = [len(np.unique(self.prompt[of])) for of in (self.passed, ~self.passed)]
        self.apart = max(1, min(*sides, self.count // 2))
        _, self.level = np.unique(scores[order], return_inverse=True)

    def share(self, weights: Any) -> Any:
        """Return the share that is ordered rightly where prompt p counts weights[p] times."""
        each = weights[self.prompt]
        levels = int(self.level[-1]) + 1
        wins = np.bincount(self.level, each * self.passed, levels)
        fails = np.bincount(self.level, each * ~self.passed, levels)
        right = (wins * (fails.cumsum() - fails / 2)).sum()
        total = wins.sum() * fails.sum()
        return right / total if total else math.nan
