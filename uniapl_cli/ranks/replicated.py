"""Ranks, for weights of which each holds all while it holds parts of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from uniapl_cli.ranks.ranks import Ranks

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Replicated(Ranks):
    """The ranks that train together, for a model that is not sharded though another is."""

    sharded = False

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.rank, self.world = ranks.rank, ranks.world
        self.local_rank, self.local_world = ranks.local_rank, ranks.local_world
        self.timeout = ranks.timeout

    def gather(self, part: T, doing: str) -> list[T]:
        """Return every rank's part, in their order, on all of them; see `Ranks.gather`."""
        return self.ranks.gather(part, doing)

    def of_first(self, make: Callable[[], T], doing: str) -> T:
        """Return, on all ranks, what the first one has made; the others do not call `make`."""
        return self.ranks.of_first(make, doing)

    def sum(self, tensors: Sequence[Tensor], doing: str) -> None:
        """Add to each tensor, in place, the other ranks' of the same place, on all ranks alike."""
        self.ranks.sum(tensors, doing)


def replicated(ranks: Ranks) -> Ranks:
    """Return the ranks as they are for a model of which each holds all weights."""
    return Replicated(ranks) if ranks.sharded else ranks
