"""Rules of controllers: how a schedule follows what a run has measured.

Each takes what it remembers, in which `value` is the schedule's, and what was measured. The trait
`reads` names the options that are names of metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import Field, NonNegativeFloat

from uniapl_cli.options import Count
from uniapl_cli.training.controller import VALUE, Measured, Memory
from uniapl_cli.training.schedules import all_schedules

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, le=1000)]


R = TypeVar("R", bound=Callable[..., Memory])


def fed(name: str, *reads: str, **traits: object) -> Callable[[R], R]:
    """Return the decorator that registers a rule as a schedule which reads these metrics."""
    return all_schedules.register(name, reads=reads, **traits)


def bounds(*, low: float, high: float | None, **_: object) -> None:
    """Refuse bounds that leave nothing between them."""
    if high is not None and low > high:
        raise ValueError(f"low = {low:g} is above high = {high:g}")


def _within(value: float, low: float, high: float | None) -> float:
    value = max(value, low)
    return value if high is None else min(value, high)


@fed("gradient_share", "measure")
def gradient_share(
    memory: Memory,
    measured: Measured,
    *,
    measure: str,
    gamma: NonNegativeFloat = 1.0,
    warmup_steps: Count = 1,
    start: Share = 1.0,
) -> Memory:
    """SASR's probability of imitation: g / (g + gamma g_warm), g a norm that `measure` names.

    arXiv 2505.13026, from secondary sources. It is `start` until `measure` has been there for
    `warmup_steps` steps, the last of which gives g_warm; then that of the last step that has it.
    """
    seen, norm = memory.get("seen", 0.0) + 1, measured["measure"]
    warm = norm if seen <= warmup_steps else memory["warm"]
    share = memory[VALUE]
    if seen >= warmup_steps and norm + gamma * warm > 0:
        share = norm / (norm + gamma * warm)
    return {VALUE: share, "seen": seen, "warm": warm}


@fed("noise_ratio", "reinforcement", "imitation", "disagreement", sensible=bounds)
def noise_ratio(
    memory: Memory,
    measured: Measured,
    *,
    reinforcement: str,
    imitation: str,
    disagreement: str,
    start: Share = 0.5,
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    cap: Annotated[float, Field(gt=0, le=1)] = 1.0,
    low: Share = 0.0,
    high: Share = 1.0,
) -> Memory:
    """The share of imitation that makes the mixed gradient's error least: r / (r + i + d).

    r and i are the variances of the reinforcement's and the imitation's gradient, d the square of
    the difference of the two, each averaged over the steps by `ema`; a step moves the value by
    `cap` at most. Derived from GAC's principle (arXiv 2605.26184), whose constants were not seen:
    (1 - mu)^2 r + mu^2 (i + d) is least there.
    """
    new = {}
    for name in ("reinforcement", "imitation", "disagreement"):
        kept = ema if name in memory else 0.0
        new[name] = kept * memory.get(name, 0.0) + (1 - kept) * measured[name]
    total, value = sum(max(0.0, one) for one in new.values()), memory[VALUE]
    aim = new["reinforcement"] / total if total > 0 else value
    return {VALUE: _within(value + _within(aim - value, -cap, cap), low, high), **new}


@fed("target", "measure", sensible=bounds)
def target(
    memory: Memory,
    measured: Measured,
    *,
    measure: str,
    target: Annotated[float, Field(gt=0)],
    start: NonNegativeFloat,
    raises: Literal["above", "below"] = "above",
    rate: Rate = 0.1,
    low: NonNegativeFloat = 0.0,
    high: NonNegativeFloat | None = None,
) -> Memory:
    """A coefficient that holds `measure` at `target`: times 1 +- rate * error, error within 0.2.

    The adaptive KL of arXiv 1909.08593 (2.2): measure / target - 1, held within -0.2 and 0.2, and
    the coefficient rises where the measure is above. `raises: below` is for entropy.
    """
    error = _within(measured["measure"] / target - 1, -0.2, 0.2)
    sign = 1 if raises == "above" else -1
    return {VALUE: _within(memory[VALUE] * (1 + sign * rate * error), low, high)}


@fed("descent", "imitation", "reinforcement", sensible=bounds)
def descent(
    memory: Memory,
    measured: Measured,
    *,
    imitation: str,
    reinforcement: str,
    start: Share = 0.5,
    rate: Rate = 0.1,
    low: Share = 0.05,
    high: Share = 0.95,
) -> Memory:
    """The share of imitation that descends a held-out loss: + rate (imitation - reinforcement).

    The measures are the inner products of the two gradients with that of the held-out loss:
    agreement/A~HELDOUT; d loss / d mu is -lr (imitation - reinforcement). AMFT's controller, whose
    published code has the other sign and so raises the loss (TSYJ-He/AMFT 0e030f4).
    """
    moved = memory[VALUE] + rate * (measured["imitation"] - measured["reinforcement"])
    return {VALUE: _within(moved, low, high)}
