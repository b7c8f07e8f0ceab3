"""The anchor: a discriminator's score of a candidate, and the coefficient that it earns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from uniapl_cli.chat.thinking import strip_thinking
from uniapl_cli.types import Comparison, Example

Score = Callable[[Sequence[Comparison]], list[float]]
"""Comparisons to one score each."""


@dataclass(frozen=True)
class AnchorScores:
    """One number a candidate. scores: r, how close it is to its reference; higher is closer.

    baselines: the scores of the references as candidates, subtracted from r; None if they were not.
    """

    scores: list[float]
    baselines: list[float] | None = None

    @property
    def coefficients(self) -> list[float]:
        """The anchor's coefficient of each score."""
        return [coefficient(r) for r in self.scores]


def anchor_scores(
    score: Score, comparisons: Sequence[Comparison], *, baseline: Score | None = None
) -> AnchorScores:
    """Score the candidates of comparisons against their references.

    With `baseline`, which scores each reference as its own candidate once, that is subtracted: a
    score of 0 then means "as close as can be".
    """
    scores = score(comparisons)
    if baseline is None:
        return AnchorScores(scores)
    unique = {(c.prompt, c.reference): replace(c, candidate=c.reference) for c in comparisons}
    by_reference = dict(zip(unique, baseline(list(unique.values())), strict=True))
    baselines = [by_reference[c.prompt, c.reference] for c in comparisons]
    return AnchorScores([r - b for r, b in zip(scores, baselines, strict=True)], baselines)


def compare(example: Example, reference: str, candidate: str) -> Comparison:
    """Return a candidate and a reference without their thoughts, as answers to an example."""
    return Comparison(
        prompt=example.prompt_text,
        reference=strip_thinking(reference),
        candidate=strip_thinking(candidate),
        id=example.origin or example.id,
    )


def coefficient(score: float) -> float:
    """Return 1 - 8 (sigmoid(r) - 0.5)^2, in [-1, 1]. Paper, Algorithm 1.

    It is symmetric: r = 0 gives 1, |r| = 1 gives 0.572895, |r| = 2 gives -0.160051. So a candidate
    that scores far above the reference counts as being as far away as one far below.
    """
    sigmoid = 1 / (1 + math.exp(-score)) if score > -700 else 0.0
    return 1 - 8 * (sigmoid - 0.5) ** 2
