"""The difference of two models on the same prompts, with its error and its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from uniapl_cli.evaluation.estimates import Column, Share

# Resampled sets of prompts, and what seeds them.
RESAMPLES, SEED = 10_000, 20251
# So many numbers are held at a time while prompts are resampled.
HELD = 1 << 22
NOTHING: Share = (0.0, 0.0)


@dataclass(frozen=True)
class Paired:
    """The second mean less the first, with prompts as the unit.

    se: of the paired differences. low, high: the 95% interval of `resampled`, the differences on
    resampled prompts. first, second: prompts on which that one is better; the rest of the n are
    equal.
    """

    difference: float
    se: float
    low: float
    high: float
    first: int
    second: int
    n: int
    resampled: Any = field(repr=False, compare=False)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON holds it: NaN is null."""
        names = ("difference", "se", "low", "high")
        values = {name: getattr(self, name) for name in names}
        finite = {name: v if math.isfinite(v) else None for name, v in values.items()}
        return {**finite, "only_first": self.first, "only_second": self.second, "n": self.n}


def paired(first: Sequence[Column], second: Sequence[Column], seed: int = SEED) -> Paired:
    """Compare the means of the columns' ratios, as `estimate` has them, of two models.

    All that a prompt adds to the columns, its draws and turns, stays together: the error is that of
    the prompts' differences (for one answer a prompt s_d / sqrt(n)), and prompts are resampled, of
    those that enter the same columns as many as there are. A prompt that one model lacks adds
    nothing to its mean.
    """
    ids = sorted({id for column in (*first, *second) for id, share in column.items() if share[1]})
    a, b = _table(first, ids), _table(second, ids)
    difference = _means(b.sum(0)) - _means(a.sum(0))
    errors = _deviations(b) - _deviations(a)
    values = [_values(table) for table in (a, b)]
    resampled = _resampled(np.concatenate([a, b], axis=1), seed)
    low, high = np.nanpercentile(resampled, (2.5, 97.5)) if ids else (math.nan, math.nan)
    return Paired(
        float(difference),
        float(np.sqrt((errors**2).sum())) if len(ids) > 1 else math.nan,
        float(low),
        float(high),
        int((values[0] > values[1]).sum()),
        int((values[1] > values[0]).sum()),
        len(ids),
        resampled,
    )


def mean_interval(parts: Sequence[Paired]) -> tuple[float, float]:
    """Return the 95% interval of the mean of differences on independent benchmarks."""
    mean = np.mean([one.resampled for one in parts], axis=0)
    low, high = np.nanpercentile(mean, (2.5, 97.5))
    return float(low), float(high)


def _table(columns: Sequence[Column], ids: Sequence[str]) -> Any:
    """Return the shares (prompt, column, total and count)."""
    shares = [[column.get(id, NOTHING) for column in columns] for id in ids]
    return np.array(shares, dtype=np.float64).reshape(len(ids), len(columns), 2)


def _means(sums: Any) -> Any:
    """Return the mean (...) of the columns' ratios, of their totals and counts (..., column, 2)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums[..., 0] / sums[..., 1]).mean(-1)


def _deviations(table: Any) -> Any:
    """Return what each prompt adds to the mean's error, linearised (prompt,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        sums, n = table.sum(0), (table[..., 1] > 0).sum(0)
        ratios = sums[:, 0] / sums[:, 1]
        scale = np.sqrt(n / (n - 1)) / sums[:, 1] / table.shape[1]
        return (scale * (table[..., 0] - ratios * table[..., 1])).sum(-1)


def _values(table: Any) -> Any:
    """Return each prompt's own share (prompt,); that of one without a count is 0."""
    totals = table.sum(1)
    return totals[:, 0] / np.maximum(totals[:, 1], 1e-300)


def _resampled(table: Any, seed: int) -> Any:
    """Return the differences on resampled prompts (RESAMPLES,).

    table: (prompt, column, 2), of the first model and then of the second.
    """
    random = np.random.default_rng(seed)
    sums = np.zeros((RESAMPLES, *table.shape[1:]))
    for group in _groups(table):
        moving = group != group[:1]
        columns = np.argwhere(moving.any(0))
        at = (slice(None), *columns.T)
        sums += group[0] * len(group)
        sums[at] -= group[0][tuple(columns.T)] * len(group)
        sums[at] += _sums(group[at], random)
    half = table.shape[1] // 2
    return _means(sums[:, half:]) - _means(sums[:, :half])


def _groups(table: Any) -> list[Any]:
    """Return the prompts by the columns that they count in."""
    groups: dict[bytes, list[int]] = {}
    for index, counted in enumerate(table[..., 1] > 0):
        groups.setdefault(counted.tobytes(), []).append(index)
    return [table[rows] for rows in groups.values()]


def _sums(values: Any, random: Any) -> Any:
    """Return the sums (RESAMPLES, value) over as many prompts, drawn anew, as (prompt, value).

    Prompts of the same values are drawn together, by their number.
    """
    distinct, counts = np.unique(values, axis=0, return_counts=True)
    step = max(1, HELD // len(distinct))
    drawn = (
        random.multinomial(len(values), counts / len(values), min(step, RESAMPLES - start))
        for start in range(0, RESAMPLES, step)
    )
    return np.concatenate([some @ distinct for some in drawn])
