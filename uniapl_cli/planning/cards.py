"""Cards, as their vendors describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from uniapl_cli.errors import ConfigError, nearest

GIB = 2**30


@dataclass(frozen=True)
class Card:
    """A card: GiB of memory, dense bfloat16 TFLOP/s, GB/s; None where nobody said.

    link: GB/s to the other cards of its host, one way.
    """

    name: str
    memory: float
    flops: float | None = None
    bandwidth: float | None = None
    link: float | None = None

    @property
    def bytes(self) -> int:
        """The memory in bytes."""
        return int(self.memory * GIB)


# NVIDIA's data sheets, without sparsity; SXM where there are several. Their GB of memory are GiB.
# Links are NVLink where SXM has it, half of what both ways are together, else PCIe with 16 lanes.
CARDS = {
    card.name: card
    for card in (
        Card("b200", 180, 2250, 8000, 900),
        Card("h200", 141, 989, 4800, 450),
        Card("h100", 80, 989, 3350, 450),
        Card("a100", 80, 312, 2039, 300),
        Card("a100-40", 40, 312, 1555, 300),
        Card("l40s", 48, 362, 864, 32),
        Card("a6000", 48, 155, 768, 32),
        Card("5090", 32, 209.5, 1792, 64),
        Card("4090", 24, 165.2, 1008, 32),
        Card("3090", 24, 71, 936, 32),
        Card("l4", 24, 121, 300, 32),
    )
}


def card(named: str, **rates: float | None) -> Card:
    """Return a card by its name, or by its GiB; flops, bandwidth and link go before its own.

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
    return _at(found, rates)


def _at(card: Card, rates: Mapping[str, float | None]) -> Card:
    known: dict[str, Any] = {name: rate for name, rate in rates.items() if rate is not None}
    return replace(card, **known)


def present(device: Any, **rates: float | None) -> Card:
    """Return the card of this machine, with the rates of the known one whose name is in its own."""
    import torch

    found = torch.cuda.get_device_properties(device)
    words = found.name.lower().replace("-", " ").split()
    known = next((CARDS[word] for word in words if word in CARDS), Card("", 0))
    return _at(replace(known, name=found.name, memory=found.total_memory / GIB), rates)


def _sized(text: str) -> Card | None:
    try:
        size = float(text.lower().removesuffix("gib").removesuffix("gb"))
    except ValueError:
        return None
    return Card(f"{size:g} GiB", size) if 0 < size < 100_000 else None
