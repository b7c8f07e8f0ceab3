"""A discriminator that needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import PositiveFloat

from uniapl_cli import Comparison, DiscriminatorOptions, key, register_discriminator


@register_discriminator("overlap")
class OverlapOptions(DiscriminatorOptions):
    """How many of the reference's words a candidate has."""

    path: str = key("none", "there is nothing to load")
    scale: PositiveFloat = key(4.0, "of the score")

    def make(self, path: str, device: str, precision: str = "auto") -> Overlap:
        """Return the discriminator."""
        return Overlap(self.scale)


@dataclass(frozen=True)
class Overlap:
    """scale * (share of the reference's words - 1)."""

    scale: float

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one score a comparison."""
        return [self.scale * (_share(c.reference, c.candidate) - 1) for c in comparisons]


def _share(reference: str, candidate: str) -> float:
    wanted = set(reference.lower().split())
    return len(wanted & set(candidate.lower().split())) / max(len(wanted), 1)
