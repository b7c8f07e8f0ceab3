"""Means with their standard errors, the answers to one prompt kept together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    counts nothing is none of the n.
    """
    errors: dict[str, float] = {}
    means: list[float] = []
    defined = True
    for shares in columns:
        counted = {id: share for id, share in shares.items() if share[1]}
        n, whole = len(counted), sum(count for _, count in counted.values())
        means.append(sum(total for total, _ in counted.values()) / whole if whole else math.nan)
        defined = defined and n > 1
        for id, (total, count) in counted.items() if n > 1 else ():
            deviation = math.sqrt(n / (n - 1)) * (total - means[-1] * count) / whole
            errors[id] = errors.get(id, 0.0) + deviation / len(columns)
    ids = {id for shares in columns for id, (_, count) in shares.items() if count}
    mean = math.fsum(means) / len(means) if means else math.nan
    se = math.sqrt(math.fsum(error**2 for error in errors.values())) if defined else math.nan
    return Estimate(mean, se if columns else math.nan, len(ids))
