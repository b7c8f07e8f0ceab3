"""A POLAR score to the anchor's coefficient."""

from __future__ import annotations

import math


def coefficient(score: float) -> float:
    """Return 1 - 8 (sigmoid(r) - 0.5)^2, in [-1, 1]. Paper, Algorithm 1.

    It is symmetric: r = 0 gives 1, |r| = 1 gives 0.572895, |r| = 2 gives -0.160051. So a candidate
    that scores far above the reference counts as being as far away as one far below.
    """
    sigmoid = 1 / (1 + math.exp(-score)) if score > -700 else 0.0
    return 1 - 8 * (sigmoid - 0.5) ** 2
