"""Controllers: schedules that follow what a run has measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Measured = Mapping[str, float]
# What a rule remembers. `value` is the schedule's.
Memory = Mapping[str, float]
# (memory, measurements by the names of its options) -> memory. Pure.
Rule = Callable[[Memory, Measured], Memory]

VALUE = "value"
# What no two runs measure alike: a resume would not be exact.
MACHINE = ("seconds", "tokens_per_second", "memory_gib")


@dataclass
class Controller:
    """A schedule whose value a rule moves after each step that has measured what it reads.

    reads: the names of metrics, by what the rule calls them. The value holds for the next step; a
    step without one of them, or with one that is not finite, leaves it where it is.
    """

    rule: Rule
    start: float
    reads: Mapping[str, str]
    memory: dict[str, float] = field(default_factory=dict)

    def __call__(self, step: int) -> float:
        """Return the value, which is that of the step that comes next."""
        return self.memory.get(VALUE, self.start)

    def observe(self, metrics: Mapping[str, Any]) -> None:
        """Move on by a step's metrics."""
        measured = {name: metrics.get(metric) for name, metric in self.reads.items()}
        numbers = {n: float(v) for n, v in measured.items() if v is not None and math.isfinite(v)}
        if numbers.keys() == self.reads.keys():
            self.memory = dict(self.rule({VALUE: self.start, **self.memory}, numbers))

    def state_dict(self) -> dict[str, float]:
        """Return what the rule remembers."""
        return dict(self.memory)

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from what the rule remembered."""
        self.memory = dict(state)
