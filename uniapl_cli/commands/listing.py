"""uniapl list: everything that a config may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from uniapl_cli.sources.comparisons import corruptions
from uniapl_cli.teachers import dialects
from uniapl_cli.training.live import facts
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.schedules import schedules
from uniapl_cli.verifiers import verifiers

REGISTRIES: Mapping[str, Registry[Any]] = {
    "objectives": objectives,
    "facts": facts,
    "sources": sources,
    "rewards": reward_functions,
    "advantages": advantages,
    "reductions": reductions,
    "corrections": corrections,
    "schedules": schedules,
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


def catalogue(kind: str | None = None) -> dict[str, list[dict[str, str]]]:
    """Return the name, options and first docstring line of each entry, by kind."""
    if kind is not None and kind not in REGISTRIES:
        raise unknown("kind", kind, REGISTRIES)
    chosen = REGISTRIES if kind is None else {kind: REGISTRIES[kind]}
    return {
        plural: [
            {"name": name, "takes": takes(entry), "does": does(entry)}
            for name, entry in ((name, registry[name]) for name in registry)
        ]
        for plural, registry in chosen.items()
    }


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
