"""Cards, as their vendors describe them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from uniapl_cli.errors import ConfigError, nearest

GIB = 2**30


@dataclass(frozen=True)
class Card:
    """A card: GiB of memory, dense bfloat16 TFLOP/s, GB/s; None where nobody said."""

    name: str
    memory: float
    flops: float | None = None
    bandwidth: float | None = None

    @property
    def bytes(self) -> int:
        """The memory in bytes."""
        return int(self.memory * GIB)


# NVIDIA's data sheets, without sparsity; SXM where there are several. Their GB of memory are GiB.
CARDS = {
    card.name: card
    for card in (
        Card("b200", 180, 2250, 8000),
        Card("h200", 141, 989, 4800),
        Card("h100", 80, 989, 3350),
        Card("a100", 80, 312, 2039),
        Card("a100-40", 40, 312, 1555),
        Card("l40s", 48, 362, 864),
        Card("a6000", 48, 155, 768),
        Card("5090", 32, 209.5, 1792),
        Card("4090", 24, 165.2, 1008),
        Card("3090", 24, 71, 936),
        Card("l4", 24, 121, 300),
    )
}


def card(named: str, flops: float | None = None, bandwidth: float | None = None) -> Card:
    """Return a card by its name, or by its GiB; `flops` and `bandwidth` go before its own.

    Raises ConfigError.
    """
    found = CARDS.get(named.lower()) or _sized(named)
    if found is None:
        guess = nearest(named.lower(), CARDS)
        raise ConfigError(
            f"unknown card '{named}'",
            f"Known: {', '.join(CARDS)}; or its memory in GiB: --gpu 80",
            key="--gpu",
            got=named,
            allowed=list(CARDS),
            suggestion=guess,
        )
    return replace(found, flops=flops or found.flops, bandwidth=bandwidth or found.bandwidth)


def present(device: Any, flops: float | None, bandwidth: float | None) -> Card:
    """Return the card of this machine, with the rates of the known one whose name is in its own."""
    import torch

    found = torch.cuda.get_device_properties(device)
    words = found.name.lower().replace("-", " ").split()
    known = next((CARDS[word] for word in words if word in CARDS), Card("", 0))
    memory = found.total_memory / GIB
    return Card(found.name, memory, flops or known.flops, bandwidth or known.bandwidth)


def _sized(text: str) -> Card | None:
    try:
        size = float(text.lower().removesuffix("gib").removesuffix("gb"))
    except ValueError:
        return None
    return Card(f"{size:g} GiB", size) if 0 < size < 100_000 else None
