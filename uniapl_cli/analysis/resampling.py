"""Statistics over prompts on resampled prompts, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

# Resampled sets of prompts, and what seeds them.
RESAMPLES, SEED = 2_000, 20251
# So many prompts are drawn at a time.
HELD = 1 << 20

# How often each prompt was drawn (P,) -> the statistics (K,), NaN where there are none.
Statistics = Callable[[Any], Any]


def resampled(statistics: Statistics, prompts: int, seed: int = SEED) -> Any:
    """Return the statistics (RESAMPLES, K) of as many prompts, drawn with replacement."""
    random = np.random.default_rng(seed)
    shares = np.full(prompts, 1 / prompts)
    step = max(1, HELD // prompts)
    found = []
    for start in range(0, RESAMPLES, step):
        drawn = random.multinomial(prompts, shares, min(step, RESAMPLES - start))
        found += [statistics(weights) for weights in drawn.astype(np.float64)]
    return np.array(found)


def interval(values: Any) -> tuple[float, float]:
    """Return the middle 95% of resampled values (RESAMPLES,), without NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def plain(**numbers: float) -> dict[str, float | None]:
    """Return numbers as JSON holds them: NaN is null."""
    return {name: float(v) if math.isfinite(v) else None for name, v in numbers.items()}
