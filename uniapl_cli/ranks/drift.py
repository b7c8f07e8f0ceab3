"""Whether the ranks still have the same weights, where each holds all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from uniapl_cli.errors import RunError
from uniapl_cli.ranks.failures import named
from uniapl_cli.ranks.ranks import Ranks

# By the bytes of a number: integers of which the bits are added up, which no order changes.
BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def refuse_drift(ranks: Ranks, weights: Mapping[str, Tensor], step: int) -> None:
    """Raise RunError, on all ranks, if after a step a weight differs between two of them in a bit.

    They would train on, each by the others' gradients at other weights. Nothing is asked where a
    rank trains alone, or holds parts.
    """
    if ranks.world == 1 or ranks.sharded:
        return
    all_sums = ranks.gather(sums(weights), "comparing the weights")
    usual, count = Counter(tuple(own.values()) for own in all_sums).most_common(1)[0]
    if count == ranks.world:
        return
    other = [rank for rank, own in enumerate(all_sums) if tuple(own.values()) != usual]
    whom = all_sums[other[0]]
    name = next(n for (n, own), most in zip(whom.items(), usual, strict=True) if own != most)
    raise RunError(
        f"after step {step} the weights of {named(other)} are not those of the others, first in "
        f"'{name}'",
        "Look for a machine whose processor, GPU or libraries are others. The same command goes on "
        "from the newest checkpoint",
        got=other,
    )


@torch.no_grad()
def sums(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the sum of each weight's bits, modulo 2^64."""
    bits = {name: weight.detach().contiguous().view(-1) for name, weight in weights.items()}
    parts = [flat.view(BITS[flat.element_size()]).sum(dtype=torch.int64) for flat in bits.values()]
    return dict(zip(bits, torch.stack(parts).tolist() if parts else (), strict=True))
