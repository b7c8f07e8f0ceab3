"""All that is found in the published tables, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from uniapl_cli.published.claims import unsupported
from uniapl_cli.published.digits import below_chance, collapses, counts, sizes
from uniapl_cli.published.finding import KINDS, MILD, Finding, Kind, Place
from uniapl_cli.published.repeats import labels, repeats
from uniapl_cli.published.sides import sides
from uniapl_cli.published.sums import averages, decimals, domain_means, printed_twice

CHECKS = (
    averages,
    domain_means,
    printed_twice,
    sides,
    decimals,
    repeats,
    labels,
    counts,
    sizes,
    unsupported,
    below_chance,
    collapses,
)


@cache
def contradictions() -> tuple[Finding, ...]:
    """Return what is found, by kind, then in the order of the tables. Its numbers start at 1."""
    found = [finding for check in CHECKS for finding in check()]
    order = list(KINDS)
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


@cache
def marks() -> Mapping[Place, tuple[int, ...]]:
    """Return the numbers of the findings that put a cell in doubt, claims left out."""
    by_place: dict[Place, tuple[int, ...]] = {}
    for number, finding in enumerate(contradictions(), 1):
        for place in finding.places if finding.kind != "claim" else ():
            if number not in by_place.get(place, ()):
                by_place[place] = (*by_place.get(place, ()), number)
    return by_place


def of_kind(kind: Kind) -> list[tuple[int, Finding]]:
    """Return the findings of a kind, with their numbers."""
    return [(n, found) for n, found in enumerate(contradictions(), 1) if found.kind == kind]


def rows() -> tuple[list[str], list[list[str]]]:
    """Return a row a finding."""
    lines = [
        [str(number), found.kind, found.where, found.what]
        for number, found in enumerate(contradictions(), 1)
    ]
    return ["", "kind", "where", "what"], lines


def plain() -> dict[str, Any]:
    """Return what is found as JSON has it."""
    return {
        "kinds": {kind: {"what": what, "mild": kind in MILD} for kind, what in KINDS.items()},
        "contradictions": [
            {"number": number, **_plain(found)} for number, found in enumerate(contradictions(), 1)
        ],
    }


def _plain(found: Finding) -> dict[str, Any]:
    places: Sequence[Place] = found.places
    named = [{"table": t, "run": r, "measure": m} for t, r, m in places]
    return {**asdict(found), "places": named}
