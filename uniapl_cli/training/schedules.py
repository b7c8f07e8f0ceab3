"""Schedules: numbers that change with the step. Weights are formulas over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt

from uniapl_cli.options import Options
from uniapl_cli.registry import Choice, Registry

Schedule = Callable[[int], float]
Weight = Callable[[Mapping[str, float]], float]

# (step, *, options) -> value. supplied: length, the run's steps. Traits: corners, a function of all
# options and of length, returns steps between which the value only rises or only falls. by_length,
# one of all options: whether the length of the run decides the values, where it is taken.
schedules: Registry[Callable[..., float]] = Registry("schedule", supplied=("length",))
# These, and those whose value at a step nobody knows beforehand: (step, *, options) -> value, or,
# with the trait reads, the names of options that are names of metrics, a rule of `training.rules`.
# supplied: others(step), the other schedules' values; draw(step), a number in 0 to 1 of its own.
# Trait: formulas, the names of options that are arithmetic over other schedules.
all_schedules: Registry[Callable[..., Any]] = Registry(
    "schedule", supplied=("others", "draw"), includes=schedules
)
# The types of a config field: a number, or {kind: ..., options}.
ScheduleOptions = Annotated[Options, Choice(schedules, number=("constant", "value"))]
AnyScheduleOptions = Annotated[Options, Choice(all_schedules, number=("constant", "value"))]


# A later one is beyond every run.
Steps = Annotated[int, Field(ge=1, le=99_999_999)]


@schedules.register("constant", corners=lambda **_: [])
def constant(step: int, *, value: float) -> float:
    """Return the same value at every step."""
    return value


def ends_by_itself(
    *, steps: int | None, after: float | None, warmup_steps: int = 0, **_: object
) -> None:
    """Refuse a value after the end where the end is that of the run, and an end in the warm-up."""
    if steps is None and after is not None:
        raise ValueError(f"after = {after:g} comes after the last step of the run: set steps too")
    if steps is not None and steps <= warmup_steps:
        raise ValueError(f"steps = {steps}: it must be above warmup_steps = {warmup_steps}")


def own_end(*, steps: int | None, warmup_steps: int = 0, **_: object) -> list[int]:
    """Return where the warm-up ends, and the schedule, if that is not where the run does."""
    return [warmup_steps, *([] if steps is None else [steps])]


def without_steps(*, steps: int | None, **_: object) -> bool:
    """Whether a schedule takes the run's steps, having none of its own."""
    return steps is None


@schedules.register("linear", sensible=ends_by_itself, corners=own_end, by_length=without_steps)
def linear(
    step: int,
    *,
    start: float,
    end: float,
    steps: Steps | None = None,
    after: float | None = None,
    length: int,
) -> float:
    """Go in a straight line from `start` at step 0 to `end` at the last of `steps` steps.

    These are the run's, if none are given. From then on it is `after`, or stays at `end`.
    """
    if steps is not None and step >= steps and after is not None:
        return after
    return start + (end - start) * min(step / max((steps or length) - 1, 1), 1.0)


@schedules.register("cosine", sensible=ends_by_itself, corners=own_end, by_length=without_steps)
def cosine(
    step: int,
    *,
    peak: float,
    end: float = 0.0,
    warmup_steps: NonNegativeInt = 0,
    steps: Steps | None = None,
    after: float | None = None,
    length: int,
) -> float:
    """Rise in a line to `peak` over `warmup_steps`, then fall to `end` along half a cosine.

    The first step has peak / warmup_steps, not 0, so that no step is wasted. `end` is reached when
    `steps` steps have been made, which are the run's if none are given; later steps have `after`,
    or `end`. UFT's hint (arXiv 2505.16984) is peak 0.95, end 0.05, steps 300, after 0.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    last = steps or length
    if step > last and after is not None:
        return after
    share = min((step - warmup_steps) / max(last - warmup_steps, 1), 1.0)
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * share))


# A step, or, below 1, a share of the run.
Place = Annotated[float, Field(gt=0, le=99_999_999)]


def one_value_more(*, values: Sequence[float], at: Sequence[float], **_: object) -> None:
    """Refuse places that are no steps, do not rise, or do not fit the values."""
    if len(values) != len(at) + 1:
        raise ValueError(
            f"{len(values)} values: one more is needed than `at` has places, {len(at)}"
        )
    shares = {place < 1 for place in at}
    if len(shares) > 1 or any(place >= 1 and place != int(place) for place in at):
        raise ValueError(f"at = {[*at]}: all are whole steps, or all are shares of the run below 1")
    if any(one >= other for one, other in pairwise(at)):
        raise ValueError(f"at = {[*at]}: each place must be after the one before it")


def places_of(*, at: Sequence[float], length: int, **_: object) -> list[int]:
    """Return the steps from which on the next value holds; a share of the run is rounded up."""
    return [math.ceil(place * length) if place < 1 else int(place) for place in at]


@schedules.register(
    "piecewise",
    sensible=one_value_more,
    corners=places_of,
    by_length=lambda at, **_: any(place < 1 for place in at),
)
def piecewise(step: int, *, values: list[float], at: list[Place], length: int) -> float:
    """Have the first of `values`, and from each place of `at` on the next one.

    A place is a number of steps, or, below 1, a share of the run's: {values: [1, 0], at: [0.5]}.
    """
    return values[sum(step >= place for place in places_of(at=at, length=length))]


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
