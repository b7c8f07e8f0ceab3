"""The ranks of a plan: how many, what they share, what they send, how they scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError
from uniapl_cli.planning.cards import GIB, Card
from uniapl_cli.planning.scaling import Scaling
from uniapl_cli.planning.setup import Setup, Usage
from uniapl_cli.planning.step import all_passes
from uniapl_cli.planning.traffic import Moved
from uniapl_cli.planning.world import OF_HOST, World


def world_of(config: Config, ranks: int, hosts: int | None) -> World:
    """Return so many ranks, evenly on hosts; by default of 8 each. Raises ConfigError."""
    hosts = hosts or -(-ranks // OF_HOST)
    if ranks % hosts:
        raise ConfigError(
            f"{ranks} ranks are not even on {hosts} hosts",
            f"Type a divisor of the ranks: --ranks {ranks} --hosts {_divisor(ranks, hosts)}",
            key="--hosts",
            got=hosts,
        )
    return World(ranks, hosts, config.parallel.shard, config.parallel.offload)


def _divisor(ranks: int, hosts: int) -> int:
    """Return the divisor of `ranks` that is the least of those above `hosts`."""
    return next(n for n in range(min(hosts, ranks), ranks + 1) if ranks % n == 0)


def described(
    setup: Setup, usage: Usage, moved: Mapping[str, Moved], scaled: Scaling | None
) -> dict[str, Any]:
    """Return what a plan says of its ranks."""
    world = usage.world
    return {
        "ranks": world.ranks,
        "hosts": world.hosts,
        "shard": world.shard,
        "offload": world.full and world.offload,
        "host_gib": usage.host / GIB,
        "micro_batches": len(all_passes(setup.own)),
        "gb_moved": {name: what.bytes / 1e9 for name, what in moved.items()},
        "collectives": {name: what.calls for name, what in moved.items()},
        "scaling": {} if scaled is None else _scaling(scaled),
    }


def _scaling(scaled: Scaling) -> dict[str, Any]:
    return {
        "seconds_of_one": scaled.one,
        "seconds": scaled.many,
        "times_as_fast": scaled.one / scaled.many,
        "efficiency": scaled.efficiency,
        "undivided": dict(scaled.undivided),
    }


def assumed(usage: Usage, found: Card, network: float, share: float) -> list[str]:
    """Return what a plan of several ranks takes for granted; [] where there is one."""
    world = usage.world
    if world.ranks == 1:
        return []
    if found.link is None:
        return ["seconds of what cards send each other need --link, or a card's name"]
    ways = f"{found.link:g} GB/s"
    if world.hosts > 1:
        ways += f", and between hosts {network:g} a card"
    return [
        f"cards send each other {ways}, of which {share:.0%} are reached, and wait meanwhile: an "
        "assumption, measured on no card yet",
        "one card, for the comparison, has the memory that it needs",
    ]
