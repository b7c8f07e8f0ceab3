"""Everything that a config may name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from uniapl_cli.data import layouts
from uniapl_cli.discriminators import discriminators, engines
from uniapl_cli.errors import UniAPLError, unknown
from uniapl_cli.generation import dialects, generators
from uniapl_cli.objectives import advantages, objectives, reductions
from uniapl_cli.pipelines.metrics import metrics
from uniapl_cli.registry import Registry
from uniapl_cli.training.comparisons import corruptions
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.schedules import shapes
from uniapl_cli.training.scores import scores
from uniapl_cli.verifiers import verifiers

REGISTRIES: Mapping[str, Registry[Any]] = {
    "objectives": objectives,
    "advantages": advantages,
    "reductions": reductions,
    "scores": scores,
    "shapes": shapes,
    "optimizers": optimizers,
    "metrics": metrics,
    "layouts": layouts,
    "generators": generators,
    "dialects": dialects,
    "discriminators": discriminators,
    "engines": engines,
    "corruptions": corruptions,
    "verifiers": verifiers,
}


def catalogue(kind: str | None = None) -> dict[str, list[dict[str, str]]]:
    """Return the name, parameters and first docstring line of each entry, by kind."""
    if kind is not None and kind not in REGISTRIES:
        raise UniAPLError(unknown("kind", kind, REGISTRIES))
    chosen = REGISTRIES if kind is None else {kind: REGISTRIES[kind]}
    return {
        plural: [
            {
                "name": name,
                "takes": registry[name].describe(),
                "does": (inspect.getdoc(registry[name].make) or "").partition("\n")[0],
            }
            for name in registry
        ]
        for plural, registry in chosen.items()
    }
