"""What a discriminator is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from uniapl_cli.registry import Registry
from uniapl_cli.types import Comparison


class Discriminator(Protocol):
    """Scores how close candidates are to their references."""

    def score(self, comparisons: Sequence[Comparison], *, alone: bool = False) -> list[float]:
        """Return one finite score a comparison, in their order; higher is closer.

        With `alone` each is computed by itself, slower: the others have no part in its last bits.
        Raises UniAPLError that names the comparison's id when one cannot be scored.
        """
        ...


# (path, device, dtype of the weights, *, options) -> Discriminator. facts: free=(...), options that
# change no score.
discriminators: Registry[Callable[..., Discriminator]] = Registry("discriminator")


def centred(
    score: Callable[[Sequence[Comparison]], list[float]],
    fixed: Callable[[Sequence[Comparison]], list[float]],
    comparisons: Sequence[Comparison],
) -> tuple[list[float], list[float]]:
    """Return the scores minus the references' own, and the references' own, asked of `fixed`.

    The reference's own score is that of it as its own candidate, asked once a reference: a centred
    score of 0 so means "as close as can be".
    """
    scores = score(comparisons)
    unique = {(c.prompt, c.reference): replace(c, candidate=c.reference) for c in comparisons}
    own = dict(zip(unique, fixed(list(unique.values())), strict=True))
    best = [own[c.prompt, c.reference] for c in comparisons]
    return [found - top for found, top in zip(scores, best, strict=True)], best
