"""Smooths curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

# A window's default share of a curve's points.
SHARE = 0.05


def window(points: int) -> int:
    """Return the default number of neighbours that a point is averaged over: odd, 1 for few."""
    return 2 * int(SHARE * points / 2 + 0.5) + 1


def smooth(values: Sequence[float], width: int) -> tuple[float, ...]:
    """Return the mean of each value and its neighbours, `width` in all, fewer at the ends.

    [0, 3, 0] over 3 is [1.5, 1, 1.5].
    """
    half = width // 2
    return tuple(
        math.fsum(near) / len(near)
        for near in (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    )
