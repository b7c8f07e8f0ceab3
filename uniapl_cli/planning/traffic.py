"""What ranks send each other in a step."""

from __future__ import annotations

from dataclasses import dataclass

from uniapl_cli.planning.seconds import work
from uniapl_cli.planning.setup import Setup, Usage
from uniapl_cli.planning.step import all_passes

# Bytes of a sampled token: its id and its log-probability.
TOKEN = 8


@dataclass(frozen=True)
class Moved:
    """Collectives of one kind in a step, and the bytes that a card sends in them, and gets."""

    calls: int
    bytes: float


def traffic(setup: Setup, usage: Usage, updates: int) -> dict[str, Moved]:
    """Return what a step moves, by what it is for; nothing where there is one rank.

    updates: those that a step makes from its batches.
    """
    world = usage.world
    if world.ranks == 1:
        return {}
    moved = _sharded(setup, usage, updates) if world.full else _summed(usage, updates)
    sampled = work(setup.draws).sampled
    if sampled:
        moved["responses"] = Moved(1, world.sent(TOKEN * sampled))
    return moved


def _summed(usage: Usage, updates: int) -> dict[str, Moved]:
    """Return the sum of gradients that each rank has whole: to it, and back."""
    size = 2 * usage.world.sent(usage.trained)
    return {"gradients": Moved(updates * usage.sums, updates * size)}


def _sharded(setup: Setup, usage: Usage, updates: int) -> dict[str, Moved]:
    """Return what each pass gathers, unit by unit, forward and back, and sums."""
    world, passes = usage.world, len(all_passes(setup.own))
    units, size = len(usage.units), sum(usage.units)
    learnt = updates * passes
    moved = {
        "weights": Moved(learnt * 2 * units, learnt * world.sent(2 * size)),
        "gradients": Moved(learnt * usage.sums, learnt * world.sent(usage.trained)),
    }
    if setup.reference:
        moved["reference"] = Moved(passes * units, passes * world.sent(usage.reference))
    if setup.corrected and updates > 1:
        moved["correction"] = Moved(passes * units, passes * world.sent(size))
    if setup.sampled:
        moved["sampling"] = Moved(units, world.sent(size))
    return moved
