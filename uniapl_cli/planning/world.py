"""The ranks that a plan is for: they need not be there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uniapl_cli.ranks.options import Shard
from uniapl_cli.ranks.sharding_rule import bytes_to_train, resolve_shard

# Bytes of an optimiser's state of a trained weight, of one that does not say.
STATE = 8
# Cards of a host, where nobody says how many hosts there are.
OF_HOST = 8


@dataclass(frozen=True)
class World:
    """So many ranks, a card each, on so many hosts.

    card: bytes of a card's whole memory, by which shard=auto is decided.
    """

    ranks: int = 1
    hosts: int = 1
    shard: Shard = "auto"
    offload: bool = False
    card: int = 0

    def resolved(self, trained: int, frozen: int, state_bytes: int | None) -> World:
        """Return the world in which `shard` is none or full; sizes as in `bytes_to_train`."""
        needed = bytes_to_train(trained, frozen, STATE if state_bytes is None else state_bytes)
        return replace(self, shard=resolve_shard(self.shard, needed, self.card, self.ranks))

    @property
    def full(self) -> bool:
        """Whether each rank holds a part of the weights; known once it is resolved."""
        return self.shard == "full" and self.ranks > 1

    @property
    def of_host(self) -> int:
        """The ranks of a host."""
        return -(-self.ranks // self.hosts)

    def kept(self, size: int) -> int:
        """Return what a card keeps of so many bytes of weights, gradients or state."""
        if not self.full:
            return size
        return 0 if self.offload else -(-size // self.ranks)

    def sent(self, size: float) -> float:
        """Return what each rank sends, and gets, where a whole of so many bytes is gathered."""
        return size * (self.ranks - 1) / self.ranks
