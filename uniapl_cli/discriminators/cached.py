"""Scores that depend on the data only, computed once a run."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from uniapl_cli.discriminators.discriminator import Discriminator
from uniapl_cli.types import Comparison


class CachedDiscriminator:
    """Caches the teacher's own scores: they depend on the data only, not on the policy.

    Batching changes the last bits of a score, and a resumed run has cached less than one that was
    not stopped. Cached scores are therefore computed batch-invariantly: a resumed run gives the
    same bits. A cached score takes some 150 bytes.
    """

    def __init__(self, discriminator: Discriminator) -> None:
        self.discriminator = discriminator
        self._cache: dict[bytes, float] = {}

    def score(self, comparisons: Sequence[Comparison]) -> list[float]:
        """Return one score a comparison; none of them is cached."""
        return self.discriminator.score(comparisons)

    def fixed(self, comparisons: Sequence[Comparison]) -> list[float]:
        """Return one score a comparison, from the cache where it was computed before."""
        hashes = [_hash(comparison) for comparison in comparisons]
        by_hash = dict(zip(hashes, comparisons, strict=True))
        new = [item for item in by_hash if item not in self._cache]
        scores = self.discriminator.score([by_hash[item] for item in new], batch_invariant=True)
        self._cache.update(zip(new, scores, strict=True))
        return [self._cache[item] for item in hashes]


def _hash(comparison: Comparison) -> bytes:
    texts = (comparison.prompt, comparison.reference, comparison.candidate)
    return blake2b(repr(texts).encode(), digest_size=16).digest()
