"""What a discriminator is, the options of every kind, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.registry import Registry
from uniapl_cli.types import Comparison


class Discriminator(Protocol):
    """Scores how close candidates are to their references."""

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one finite score a comparison, in their order; higher is closer.

        With `batch_invariant` each is computed by itself, which is slower: its bits do not depend
        on the others. Raises UniAPLError that names the comparison's id when one cannot be scored.
        """
        ...


class DiscriminatorOptions(Options):
    """What a config may set of every kind of discriminator."""

    path: str = key(MISSING, "folder, run directory or hub name; tiny:polar")
    revision: str | None = key(None, "commit or branch on the hub")

    def make(self, path: str, device: str) -> Discriminator:
        """Load the discriminator in the folder `path`. Raises ModelError."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise UniAPLError for what is known to fail before anything is loaded or asked."""

    def look(self, path: str) -> None:
        """Read what the folder `path` says of itself, but no weights. Raises ModelError."""


discriminators: Registry[type[DiscriminatorOptions]] = Registry("discriminator")


def centred(
    score: Callable[[Sequence[Comparison]], list[float]],
    fixed: Callable[[Sequence[Comparison]], list[float]],
    comparisons: Sequence[Comparison],
) -> tuple[list[float], list[float]]:
    """Return (centred scores, baselines): score(candidate) - score(reference as candidate).

    A baseline is asked of `fixed`, once a reference. A centred score of 0 means "as close as can
    be".
    """
    scores = score(comparisons)
    unique = {(c.prompt, c.reference): replace(c, candidate=c.reference) for c in comparisons}
    own = dict(zip(unique, fixed(list(unique.values())), strict=True))
    baselines = [own[c.prompt, c.reference] for c in comparisons]
    centred = [score - baseline for score, baseline in zip(scores, baselines, strict=True)]
    return centred, baselines
