"""Checks of sources whose rows, or the beginnings of them, are the teacher's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uniapl_cli.config.schema import Config
from uniapl_cli.objectives import advantages
from uniapl_cli.training.terms import Plan, Term


def check_sources(config: Config, method: Plan, steps: Sequence[int]) -> None:
    """Refuse formulas of active sources that are not finite at any of `steps`."""
    names = config.with_roots(term.source for term in method.ever_active)
    formulas = {
        f"sources.{name}.{part}": formula
        for name in names
        for part, formula in config.source(name).formulas.items()
    }
    for step in steps if formulas else ():
        values = method.schedule_values(step)
        for key, formula in formulas.items():
            with config.blaming(key):
                value = formula(values)
            if not math.isfinite(value):
                problem = f"'{key}' is {value} at step {step + 1}: a finite number is needed"
                raise config.error(key, problem, got=value)


def check_apart(config: Config, term: Term) -> None:
    """Refuse a rule that cannot leave the teacher's row out of a baseline. Raises ConfigError."""
    assert term.reward is not None
    rule = config.rewards[term.reward].advantage
    root = config.root(term.source)
    key = f"sources.{root}.expert"
    apart = getattr(config.source(root), "expert", "none") == "apart"
    if apart and not advantages.wants(rule, "baseline"):
        raise config.error(
            key,
            f"'{key}' is 'apart', and advantage '{advantages.entry(rule).name}' of rewards."
            f"{term.reward} takes no baseline, so it cannot leave a row out",
            f"Set {key}=joins, or another advantage",
            got="apart",
        )
