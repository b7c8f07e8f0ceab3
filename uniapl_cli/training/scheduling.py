"""Makes the schedules of a run of what a config says, and tells what they do over its steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from uniapl_cli.formulas import Formula
from uniapl_cli.options import Options
from uniapl_cli.seeding import derive
from uniapl_cli.training import coin, rules
from uniapl_cli.training.controller import Controller
from uniapl_cli.training.schedules import AnyScheduleOptions, Schedule, all_schedules, schedules

__all__ = ["AnyScheduleOptions", "coin", "make_schedule", "make_schedules", "rules"]


@dataclass(frozen=True)
class AtStep(Mapping[str, float]):
    """The values of schedules at a step, each computed when it is asked for."""

    schedules: Mapping[str, Schedule]
    step: int

    def __getitem__(self, name: str) -> float:
        return self.schedules[name](self.step)

    def __iter__(self) -> Iterator[str]:
        return iter(self.schedules)

    def __len__(self) -> int:
        return len(self.schedules)


def make_schedules(options: Mapping[str, Options], length: int, seed: int) -> dict[str, Schedule]:
    """Return the schedules of a run of `length` steps, by name."""
    made: dict[str, Schedule] = {}
    for name, own in options.items():
        made[name] = make_schedule(own, length, made, derive(seed, "schedule", name))
    return made


def make_schedule(
    options: Options,
    length: int,
    others: Mapping[str, Schedule] = MappingProxyType({}),
    seed: int = 0,
) -> Schedule:
    """Return a function from the step to the value, for a run of `length` steps.

    others: what its formulas may name. seed: of its draws.
    """
    bound = all_schedules.bind(
        options,
        length=length,
        others=partial(AtStep, others),
        draw=lambda step: derive(seed, step) / 2**63,
    )
    if (reads := reads_of(options)) is None:
        return bound
    start: float = options.start  # type: ignore[attr-defined]
    return Controller(bound, start, reads)


def reads_of(options: Options) -> dict[str, str] | None:
    """Return the metrics that a schedule follows, by what it calls them; None: it follows none."""
    reads = all_schedules.entry(options).traits.get("reads")
    return None if reads is None else {name: getattr(options, name) for name in reads}


def formulas_of(options: Options) -> dict[str, Formula]:
    """Return a schedule's formulas over others, by the names of its options."""
    names = all_schedules.entry(options).traits.get("formulas", ())
    return {name: Formula(getattr(options, name)) for name in names}


def unforeseen(options: Options) -> bool:
    """Whether a schedule may have any value at any step: it is drawn, or follows measurements."""
    return all_schedules.entry(options).name not in schedules


def depends_on_steps(options: Options) -> bool:
    """Whether a schedule's values depend on the length of the run."""
    by_length = all_schedules.entry(options).traits.get("by_length")
    takes = all_schedules.wants(options, "length")
    return takes and (by_length is None or by_length(**dict(options)))


# A run of at most EVERY steps is looked at step by step; of a longer one, this many of its steps.
EVERY, SPREAD = 10_000, 1_000


def telling_steps(used: Iterable[Options], steps: int) -> Sequence[int]:
    """Return the steps of a run that show what its schedules do, without a scan of a long run.

    They are the ends, those around each corner, and some in between.
    """
    if steps <= EVERY:
        return range(steps)
    corners = {0, steps}.union(*(known_corners(options, steps) or [] for options in used))
    near = {corner + offset for corner in corners for offset in (-1, 0, 1)}
    spread = range(0, steps, steps // SPREAD)
    return sorted(step for step in near.union(spread) if 0 <= step < steps)


def known_corners(options: Options, length: int = 1) -> list[int] | None:
    """Return a schedule's corners in a run of `length` steps; None where its kind does not say."""
    corners = all_schedules.entry(options).traits.get("corners")
    return corners(**dict(options), length=length) if corners else None
