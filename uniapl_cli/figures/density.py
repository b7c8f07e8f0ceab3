"""Kernel density estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Places of a curve; values that are taken at a time.
PLACES, CHUNK = 400, 4096
# How many bandwidths a curve goes on beyond the outermost values.
TAIL = 3.0


def bandwidth(values: Sequence[float], least: float) -> float:
    """Return Scott's bandwidth for one dimension, the standard deviation times n^(-1/5).

    Scott 1992, eq. 6.42, with the factor 1 that scipy has. `least` where all values are alike.
    """
    sample = np.asarray(values, float)
    spread = float(sample.std(ddof=1)) if len(sample) > 1 else 0.0
    # A mean of equal numbers may differ from them in the last digit.
    alike = spread <= 1e-12 * float(np.abs(sample).max())
    return least if alike else spread * len(sample) ** (-1 / 5)


def density(
    values: Sequence[float], places: Sequence[float], width: float, floor: float | None = None
) -> tuple[float, ...]:
    """Return the Gaussian kernel density of values at places. It integrates to 1.

    floor: no value is below it, and the mass that the kernels would have there is reflected.
    """
    at = np.asarray(places, float)
    sample = np.asarray(values, float)
    total = np.zeros_like(at)
    for start in range(0, len(sample), CHUNK):
        some = sample[start : start + CHUNK, None]
        total += _kernel((at - some) / width).sum(0)
        if floor is not None:
            total += _kernel((at - (2 * floor - some)) / width).sum(0)
    found = total / (len(sample) * width)
    if floor is not None:
        found[at < floor] = 0.0
    return tuple(found.tolist())


def _kernel(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
