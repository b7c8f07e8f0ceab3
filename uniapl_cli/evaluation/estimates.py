"""Means with their standard errors, the answers to one prompt kept together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

# Of the 95% interval of a normal distribution.
Z = 1.959964

# An answer's contribution to a mean: what it adds to the total, and to the count.
Share = tuple[float, float]
# What each prompt, by its id, adds to a ratio of total and count.
Column = Mapping[str, Share]


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error with prompts as the unit, and the number of prompts."""

    mean: float
    se: float
    n: int

    def plain(self) -> dict[str, float | int | None]:
        """Return it as JSON holds it: NaN is null."""
        finite = (value if math.isfinite(value) else None for value in (self.mean, self.se))
        return {**dict(zip(("mean", "se"), finite, strict=True)), "n": self.n}

    def interval(self) -> tuple[float, float] | None:
        """Return the 95% interval of a share; None where its error is not known.

        Wilson's, with as many prompts as would give a plain share this error: unlike mean ± 1.96 se
        it stays within 0 and 1, and is none of no width where all of few answers are alike.
        """
        p, n = self.mean, float(self.n)
        if not (math.isfinite(p) and math.isfinite(self.se)) or not 0 <= p <= 1:
            return None
        if self.se > 0:
            n = p * (1 - p) / self.se**2
        middle, width = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + (Z / (2 * n)) ** 2)
        low, high = (end / (1 + Z**2 / n) for end in (middle - width, middle + width))
        return max(0.0, low), min(1.0, high)


class Marked(Protocol):
    """An answer with its marks."""

    @property
    def item(self) -> Any:
        """What was asked; it has an id."""

    @property
    def marks(self) -> Mapping[str, Share]:
        """What the answer adds to each metric."""


def column(graded: Iterable[Marked], name: str) -> Column:
    """Return what each prompt adds to a metric; answers without a mark for it add nothing."""
    return total_by_id((one.item.id, one.marks[name]) for one in graded if name in one.marks)


def total_by_id(shares: Iterable[tuple[str, Share]]) -> dict[str, Share]:
    """Return the sums of shares of one id."""
    sums: dict[str, Share] = {}
    for id, (total, count) in shares:
        before = sums.get(id, (0.0, 0.0))
        sums[id] = (before[0] + total, before[1] + count)
    return sums


def estimate(columns: Sequence[Column]) -> Estimate:
    """Return the mean of the columns' ratios, sum(total) / sum(count), with its standard error.

    The error is the ratio estimator's: for one answer a prompt and counts of 1 it is s / sqrt(n).
    Columns may share prompts, as the turns of a conversation do, or not, as subjects. A prompt that
    counts nothing is none of the n. Columns of one prompt each, as of subjects with a row each,
    vary as much as they differ from one another, which is rather too much than too little.
    """
    counted = [{id: share for id, share in c.items() if share[1]} for c in columns]
    means = [_ratio(column) for column in counted]
    deviations = [_deviations(c, mean) for c, mean in zip(counted, means, strict=True)]
    alone = [number for number, column in enumerate(counted) if len(column) == 1]
    if len(alone) > 1:
        values = {str(number): (means[number], 1.0) for number in alone}
        apart = _deviations(values, _ratio(values))
        for number in alone:
            (id,) = counted[number]
            deviations[number] = {id: apart[str(number)] * len(alone)}
    errors: dict[str, float] = {}
    for column in deviations:
        for id, deviation in column.items():
            errors[id] = errors.get(id, 0.0) + deviation / len(columns)
    mean = math.fsum(means) / len(means) if means else math.nan
    se = math.sqrt(math.fsum(error**2 for error in errors.values()))
    return Estimate(mean, se if all(deviations) and columns else math.nan, len({*chain(*counted)}))


def _ratio(column: Column) -> float:
    whole = sum(count for _, count in column.values())
    return sum(total for total, _ in column.values()) / whole if whole else math.nan


def _deviations(column: Column, mean: float) -> dict[str, float]:
    """Return by how much each prompt moves a ratio; none where there is one prompt."""
    n, whole = len(column), sum(count for _, count in column.values())
    scale = math.sqrt(n / (n - 1)) / whole if n > 1 else 0.0
    return {id: scale * (total - mean * count) for id, (total, count) in column.items() if n > 1}
