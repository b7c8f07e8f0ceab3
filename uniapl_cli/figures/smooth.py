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
    """Return the mean of each value and its neighbours, `width` in all, or one more if it is even.

    Near the ends there are fewer, as many before as after, so that a slope stays what it is.
    [0, 3, 0] over 3 is [0, 1, 0].
    """
    found = []
    for at in range(len(values)):
        half = min(width // 2, at, len(values) - 1 - at)
        near = values[at - half : at + half + 1]
        found.append(math.fsum(near) / len(near))
    return tuple(found)


def thinned(
    x: Sequence[float], y: Sequence[float], most: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Return at most `most` points that look like all: the extremes of pieces of equal length."""
    if len(x) <= most:
        return x, y
    size = math.ceil(len(x) / (most // 2))
    kept: list[int] = []
    for start in range(0, len(x), size):
        piece = range(start, min(start + size, len(x)))
        kept += sorted({min(piece, key=y.__getitem__), max(piece, key=y.__getitem__)})
    return [x[at] for at in kept], [y[at] for at in kept]
