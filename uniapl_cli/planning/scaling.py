"""How much faster many cards are than one: what of a step divides by them, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uniapl_cli.generation.local import MOST_ROWS
from uniapl_cli.planning.cards import Card
from uniapl_cli.planning.seconds import HOST_LINK, Rates, seconds
from uniapl_cli.planning.setup import Setup, Usage
from uniapl_cli.planning.traffic import Moved
from uniapl_cli.planning.world import World

# GB/s of a card to other hosts, one way, where nobody says: 400 Gb/s.
NETWORK = 50.0
# Share of the links' rates that is assumed to be reached.
LINK_SHARE = 0.7


@dataclass(frozen=True)
class Scaling:
    """Seconds of a step on one card that had the memory, and what many make of it.

    undivided: by phase, seconds beyond an equal part of the one card's.
    """

    one: float
    many: float
    ranks: int
    undivided: Mapping[str, float]

    @property
    def efficiency(self) -> float:
        """The share of their number by which so many cards are faster than one."""
        return self.one / (self.ranks * self.many)


def scaling(
    setup: Setup, usage: Usage, rates: Rates, updates: int, spent: Mapping[str, float]
) -> Scaling:
    """Compare `spent`, the seconds of a rank by phase, with a card that does it all by itself."""
    ranks = usage.world.ranks
    rows = min(sum(d.rows for d in setup.sampled), MOST_ROWS.get(setup.device, 128))
    alone = replace(usage, world=World(), rows=max(1, min(rows, ranks * usage.rows)))
    one = seconds(replace(setup, world=World()), alone, rates, updates)
    undivided = {name: took - one.get(name, 0) / ranks for name, took in spent.items()}
    return Scaling(sum(one.values()), sum(spent.values()), ranks, undivided)


def communication(
    moved: Mapping[str, Moved], world: World, card: Card, network: float
) -> float | None:
    """Return the seconds that a card waits for what is moved; None where its link is not known.

    network: GB/s of a card to other hosts. All goes round a ring over the cards, which is as slow
    as its slowest link; between two hosts that is all their cards' together. None of it is taken to
    go on beside the computation. Offloaded parts come from the host before, and go there after.
    """
    if card.link is None:
        return None
    link = card.link if world.hosts == 1 else min(card.link, network * world.of_host)
    sent = sum(what.bytes for what in moved.values())
    waited = sent / (LINK_SHARE * link * 1e9)
    if world.full and world.offload:
        waited += sent / (world.ranks - 1) / HOST_LINK
    return waited
