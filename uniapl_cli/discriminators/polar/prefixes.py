"""Keys and values of prefixes, kept from one step to the next within a bound on their memory."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable

from torch import Tensor

from uniapl_cli.discriminators.batches import Row

log = logging.getLogger("uniapl")

# Each layer's keys and values in turn, (1, heads, S, width) of a prefix of S ids.
States = list[Tensor]


class Prefixes:
    """A cache of the states of prefixes, at most `limit` bytes, which counts its hits and misses.

    The first that come are kept, the others are computed each time. An epoch needs each prefix
    once: of more than fit, the least recently used is always the next to be needed.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = self.hits = self.misses = 0
        self._cache: dict[bytes, States] = {}
        self._full = False

    def get(self, ids: Row, compute: Callable[[Row], States]) -> States:
        """Return the states of a prefix; `compute` must depend on nothing but its ids."""
        name = array("q", ids).tobytes()
        if name in self._cache:
            self.hits += 1
            return self._cache[name]
        self.misses += 1
        states = compute(ids)
        size = sum(state.nbytes for state in states)
        if self.bytes + size <= self.limit:
            self._cache[name] = states
            self.bytes += size
        elif self.limit and not self._full:
            self._full = True
            log.info(
                "discriminator.cache_mb is used up by %d prefixes (%.1f MB); the others are "
                "computed each time",
                len(self._cache),
                self.bytes / 2**20,
            )
        return states
