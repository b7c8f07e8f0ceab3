"""uniapl list: everything that a config may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniapl_cli.commands.list_methods import asked, methods
from uniapl_cli.data.layouts import layouts
from uniapl_cli.discriminators import discriminators
from uniapl_cli.discriminators.remote import engines
from uniapl_cli.errors import unknown
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.metrics import metrics
from uniapl_cli.generation import generators
from uniapl_cli.generation.served.transports import transports
from uniapl_cli.monitoring.trackers import trackers
from uniapl_cli.objectives import advantages, corrections, objectives, reductions
from uniapl_cli.options import MISSING
from uniapl_cli.registry import Entry, Registry
from uniapl_cli.rewards.functions import reward_functions
from uniapl_cli.sources import sources
from uniapl_cli.sources.beginnings import prefix_laws
from uniapl_cli.sources.comparisons import corruptions
from uniapl_cli.teachers import dialects
from uniapl_cli.training.live import facts
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.schedules import all_schedules
from uniapl_cli.verifiers import verifiers

REGISTRIES: Mapping[str, Registry[Any]] = {
    "objectives": objectives,
    "facts": facts,
    "sources": sources,
    "rewards": reward_functions,
    "advantages": advantages,
    "reductions": reductions,
    "corrections": corrections,
    "prefix_laws": prefix_laws,
    "schedules": all_schedules,
    "optimizers": optimizers,
    "benchmarks": benchmarks,
    "metrics": metrics,
    "layouts": layouts,
    "generators": generators,
    "transports": transports,
    "dialects": dialects,
    "discriminators": discriminators,
    "engines": engines,
    "corruptions": corruptions,
    "trackers": trackers,
    "verifiers": verifiers,
}


METHODS = "methods"


def catalogue(kind: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the name, options and first docstring line of each entry, by kind.

    Of a method: its equation, where it is from, and what it needs.
    """
    kinds = [METHODS, *REGISTRIES]
    if kind is not None and kind not in kinds:
        raise unknown("kind", kind, kinds)
    return {name: listed(name) for name in (kinds if kind is None else [kind])}


def listed(kind: str) -> list[dict[str, Any]]:
    """Return the entries of a kind."""
    if kind == METHODS:
        return methods()
    registry = REGISTRIES[kind]
    entries = [registry[name] for name in registry]
    return [{"name": e.name, "takes": takes(e), "does": does(e)} for e in entries]


def columns(kinds: Mapping[str, list[dict[str, Any]]]) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table of what `catalogue` returned."""
    if list(kinds) == [METHODS]:
        return ["method", "equation", "paper", "code", "needs"], [
            [
                f"{own['name']} (experimental)" if own["experimental"] else own["name"],
                *(own[part] or "" for part in ("equation", "paper", "code")),
                asked(own),
            ]
            for own in kinds[METHODS]
        ]
    return ["kind", "name", "takes", "does"], [
        [kind, own["name"], *brief(kind, own)] for kind, items in kinds.items() for own in items
    ]


def brief(kind: str, own: Mapping[str, Any]) -> list[str]:
    """Return what an entry takes, or needs, and what it does."""
    if kind == METHODS:
        return [asked(own), own["equation"] or ""]
    return [own["takes"], own["does"]]


def does(entry: Entry[Any]) -> str:
    """Return an entry's first docstring line, and a mark of what it is for."""
    mark = "evaluation only" if entry.traits.get("evaluation") else entry.traits.get("level")
    return f"{entry.summary} ({mark})" if mark else entry.summary


def takes(entry: Entry[Any]) -> str:
    """List an entry's options with their defaults: `reward, clip_low = 0.2`."""
    shown = [
        name
        if field.is_required() or field.default == MISSING
        else f"{name} = {field.get_default(call_default_factory=True)!r}"
        for name, field in entry.takes().items()
    ]
    return ", ".join(shown) or "nothing"
