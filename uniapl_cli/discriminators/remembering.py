"""Scores that no policy has a part in, asked once a run."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from uniapl_cli.discriminators.discriminator import Discriminator
from uniapl_cli.types import Comparison


class Remembering:
    """A discriminator that remembers what recurs: the teacher's scores, which are the data's alone.

    A score's last bits depend on its batch, and a resumed run remembers less than one that was not.
    So what is remembered is computed alone: it is then the same bits, remembered or not. It takes
    some 150 bytes a score.
    """

    def __init__(self, discriminator: Discriminator) -> None:
        self.discriminator = discriminator
        self._known: dict[bytes, float] = {}

    def score(self, comparisons: Sequence[Comparison]) -> list[float]:
        """Return one score a comparison, none of them remembered."""
        return self.discriminator.score(comparisons)

    def fixed(self, comparisons: Sequence[Comparison]) -> list[float]:
        """Return one score a comparison, each computed when it is first asked for."""
        names = [_name(comparison) for comparison in comparisons]
        asked = dict(zip(names, comparisons, strict=True))
        new = [name for name in asked if name not in self._known]
        scores = self.discriminator.score([asked[name] for name in new], alone=True)
        self._known.update(zip(new, scores, strict=True))
        return [self._known[name] for name in names]


def _name(comparison: Comparison) -> bytes:
    texts = (comparison.prompt, comparison.reference, comparison.candidate)
    return blake2b(repr(texts).encode(), digest_size=16).digest()
