"""Whether the ranks shard a model's weights, where nobody said so."""

from __future__ import annotations

from typing import Literal

from uniapl_cli.ranks.options import Shard

# Of a card's memory, what weights, gradients and the optimiser's state may take unsharded.
SHARE = 0.5


def bytes_to_train(trained: int, frozen: int, state_bytes: int) -> int:
    """Return what stays in memory from step to step, and the gradients.

    trained: how many weights, of 4 bytes, as their gradients. frozen: bytes of the other weights.
    state_bytes: of the optimiser's state of a trained weight.
    """
    return frozen + (8 + state_bytes) * trained


def resolve_shard(
    shard: Shard, bytes_needed: int, bytes_of_card: int, world: int
) -> Literal["none", "full"]:
    """Return how `parallel.shard` is meant; one rank alone never shards.

    bytes_needed: `bytes_to_train` of the whole model. bytes_of_card: all its memory.
    """
    if world == 1:
        return "none"
    if shard == "auto":
        return "full" if bytes_needed > SHARE * bytes_of_card else "none"
    return shard
