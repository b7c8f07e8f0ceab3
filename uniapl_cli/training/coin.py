"""Schedules that are drawn: 0 or 1, by seed, name and step alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uniapl_cli.errors import ConfigError
from uniapl_cli.formulas import Arithmetic, Formula
from uniapl_cli.training.schedules import all_schedules


@all_schedules.register("coin", formulas=("p",))
def coin(
    step: int,
    *,
    p: Arithmetic,
    others: Callable[[int], Mapping[str, float]],
    draw: Callable[[int], float],
) -> float:
    """Be 1 with probability `p`, else 0: drawn for each step by the seed and the schedule's name.

    `p` is a number, or arithmetic over the other schedules. It has no state: a resumed run tosses
    the same. Raises ConfigError where `p` is not in 0 to 1.
    """
    probability = Formula(p)(others(step))
    if not 0 <= probability <= 1:
        problem = f"p = {p} is {probability:g} at step {step + 1}: a probability is in 0 to 1"
        raise ConfigError(problem, got=probability)
    return float(draw(step) < probability)
