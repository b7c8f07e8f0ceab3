"""How far two distributions of numbers are apart, with prompts as the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uniapl_cli.analysis.resampling import plain, resampled

# Numbers by prompt.
Numbers = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Distance:
    """A distance of 0 or more, and its 95% interval."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float | None]:
        """Return it as JSON holds it."""
        return plain(value=self.value, low=self.low, high=self.high)


def wasserstein(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the Wasserstein-1 distance of two samples, in their unit.

    It is the area between their cumulative shares: by how much the numbers of one must be moved on
    average to become the other. [0, 1, 3] and [5, 6, 8] are 5 apart.
    """
    curve = _Curve([first], [second])
    return float(curve.norms(curve(np.ones(1)))[0])


def kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the greatest difference of two samples' cumulative shares, from 0 to 1."""
    curve = _Curve([first], [second])
    return float(curve.norms(curve(np.ones(1)))[1])


def distances(first: Numbers, second: Numbers) -> tuple[Distance, Distance]:
    """Return the Wasserstein-1 and the Kolmogorov-Smirnov distance of two samples.

    first, second: the prompts in one order. A prompt is resampled with its numbers in both.

    Percentiles of resampled distances would be no interval: noise only makes a distance larger, so
    that where two distributions are one, they would never contain 0. Instead the curve, the
    difference of the cumulative shares, is resampled: where the true curve is at most d away from
    that of the sample, the true distance is at most d away from the sample's. d is the 95th
    percentile of how far resampled curves are away, measured as the distance itself is. The
    interval holds for any two distributions, and is rather too wide than too narrow.
    """
    curve = _Curve(first, second)
    found = curve(np.ones(len(first)))
    away = resampled(lambda weights: curve.norms(curve(weights) - found), len(first))
    values, margins = curve.norms(found), np.percentile(away, 95, axis=0)
    area, height = (
        Distance(float(value), max(0.0, float(value - margin)), float(value + margin))
        for value, margin in zip(values, margins, strict=True)
    )
    return area, Distance(height.value, height.low, min(1.0, height.high))


class _Curve:
    """The difference (V,) of two samples' cumulative shares at their V distinct numbers."""

    def __init__(self, first: Numbers, second: Numbers) -> None:
        sides = [
            np.concatenate([np.asarray(one, float) for one in side]) for side in (first, second)
        ]
        self.values, places = np.unique(np.concatenate(sides), return_inverse=True)
        self.places = np.split(places.reshape(-1), [len(sides[0])])
        self.prompts = [
            np.repeat(np.arange(len(side)), [len(one) for one in side]) for side in (first, second)
        ]
        self.gaps = np.diff(self.values)

    def __call__(self, weights: Any) -> Any:
        """Return the curve where prompt p counts weights[p] times."""
        shares = []
        for places, prompts in zip(self.places, self.prompts, strict=True):
            counts = np.bincount(places, weights[prompts], len(self.values))
            shares.append(counts / counts.sum())
        return (shares[0] - shares[1]).cumsum()

    def norms(self, curve: Any) -> Any:
        """Return the area under a curve's size, and its greatest size."""
        return np.array([(np.abs(curve[:-1]) * self.gaps).sum(), np.abs(curve).max()])
