"""Schedules: numbers that change with the step. Weights are formulas over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import NonNegativeInt

from uniapl_cli.options import Options
from uniapl_cli.registry import Choice, Registry

Schedule = Callable[[int], float]
Weight = Callable[[Mapping[str, float]], float]

# (step, *, options) -> value. supplied: steps, the length of the run. The trait `corners`, a
# function of all options, returns steps between which the value only rises or only falls.
schedules: Registry[Callable[..., float]] = Registry("schedule", supplied=("steps",))
# The type of a config field: a number, or {kind: ..., options}.
ScheduleOptions = Annotated[Options, Choice(schedules, number=("constant", "value"))]


@schedules.register("constant", corners=lambda **_: [])
def constant(step: int, *, value: float) -> float:
    """Return the same value at every step."""
    return value


@schedules.register("linear", corners=lambda **_: [])
def linear(step: int, *, start: float, end: float, steps: int) -> float:
    """Go in a straight line from `start` at step 0 to `end` at the last step."""
    return start + (end - start) * min(step / max(steps - 1, 1), 1.0)


@schedules.register("cosine", corners=lambda warmup_steps, **_: [warmup_steps])
def cosine(
    step: int, *, peak: float, end: float = 0.0, warmup_steps: NonNegativeInt = 0, steps: int
) -> float:
    """Rise in a line to `peak` over `warmup_steps`, then fall to `end` along half a cosine.

    The first step has peak / warmup_steps, not 0, so that no step is wasted.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * share))


def reaches_its_peak(
    *, warmup_steps: int, decay_steps: int, peak: float, valley: float, **_: object
) -> None:
    """Refuse a peak that is never reached."""
    if warmup_steps == decay_steps == 0 and peak != valley:
        raise ValueError(
            f"with warmup_steps and decay_steps 0 the value is always valley = {valley:g}, and "
            f"peak = {peak:g} is never reached: make the two equal, or set decay_steps"
        )


def ends(*, warmup_steps: int, decay_steps: int, **_: object) -> list[int]:
    """Return where the warm-up ends, and the decay."""
    return [warmup_steps, warmup_steps + decay_steps]


@schedules.register("warmup_decay", sensible=reaches_its_peak, corners=ends)
def warmup_decay(
    step: int,
    *,
    warmup_steps: NonNegativeInt,
    decay_steps: NonNegativeInt,
    peak: float,
    valley: float,
) -> float:
    """CHORD's mu: step / warmup_steps * peak, then half a cosine from `peak` down to `valley`.

    arXiv 2508.11408. With warm-up, step 0 has 0; without warm-up and decay it is `valley`.
    """
    if step < warmup_steps:
        return step / warmup_steps * peak
    if step >= warmup_steps + decay_steps:
        return valley
    share = (step - warmup_steps) / decay_steps
    return (peak - valley) * 0.5 * (1 + math.cos(math.pi * share)) + valley


def make_schedule(options: Options, steps: int) -> Schedule:
    """Return a function from the step to the value, for a run of `steps` steps."""
    return schedules.bind(options, steps=steps)


def depends_on_steps(options: Options) -> bool:
    """Whether a schedule's values depend on the length of the run."""
    return schedules.wants(options, "steps")


# A run of at most EVERY steps is looked at step by step; of a longer one, this many of its steps.
EVERY, SPREAD = 10_000, 1_000


def telling_steps(used: Iterable[Options], steps: int) -> Sequence[int]:
    """Return the steps of a run that show what its schedules do, without a scan of a long run.

    They are the ends, those around each corner, and some in between.
    """
    if steps <= EVERY:
        return range(steps)
    corners = {0, steps}.union(*(known_corners(options) or [] for options in used))
    near = {corner + offset for corner in corners for offset in (-1, 0, 1)}
    spread = range(0, steps, steps // SPREAD)
    return sorted(step for step in near.union(spread) if 0 <= step < steps)


def known_corners(options: Options) -> list[int] | None:
    """Return a schedule's corners; None where its kind does not say."""
    corners = schedules.entry(options).traits.get("corners")
    return corners(**dict(options)) if corners else None
