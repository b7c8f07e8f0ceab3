"""Rollouts to advantages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from uniapl_cli.errors import TrainingError, UniAPLError
from uniapl_cli.objectives.advantages import Advantage
from uniapl_cli.types import Rollout


@dataclass(frozen=True)
class Scored:
    """One number a rollout, and by name what else is to be logged of how it came about."""

    values: list[float]
    more: Mapping[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Weighted:
    """A score and its share in a signal."""

    name: str
    weight: float
    score: Callable[[Sequence[Rollout]], list[float] | Scored]

    def __call__(self, rollouts: Sequence[Rollout]) -> Scored:
        """Score rollouts. Raises TrainingError, with the row, where the score itself fails."""
        try:
            found = self.score(rollouts)
        except UniAPLError:
            raise
        except Exception as error:
            raise TrainingError(
                f"{self._culprit(rollouts)}: score '{self.name}' failed: "
                f"{type(error).__name__}: {error}; --debug shows where"
            ) from error
        told = found if isinstance(found, Scored) else Scored(found)
        for name, numbers in {self.name: told.values, **told.more}.items():
            if len(numbers) != len(rollouts):
                raise TrainingError(
                    f"score '{self.name}' gave {len(numbers)} numbers ('{name}') for "
                    f"{len(rollouts)} rollouts: one each is needed"
                )
        return told

    def _culprit(self, rollouts: Sequence[Rollout]) -> str:
        """Return the row of the first rollout on which the score fails by itself."""
        for rollout in rollouts:
            try:
                self.score([rollout])
            except Exception:  # noqa: BLE001  whatever it was, this is the row
                return rollout.example.origin or rollout.example.id
        return "rollouts of a step, none of them by itself"


# By name, one number a rollout: each score's, and under `SCORE_NAME` what else it told: `coef_r`.
Measured = dict[str, list[float]]


@dataclass(frozen=True)
class Judged:
    """What a signal made of a step's rollouts. values, advantages: (N,) float32.

    counted: (N,) bool, the rollouts that its terms count; None where they all do.
    """

    values: Tensor
    advantages: Tensor
    scores: Measured
    counted: Tensor | None = None


@dataclass(frozen=True)
class Signal:
    """A weighted sum of scores, turned into advantages by a rule.

    Groups whose values are all equal teach nothing where rollouts are held against each other:
    `zero_variance` keeps them, drops them from the count, or has other prompts sampled instead.
    """

    name: str
    scores: Sequence[Weighted]
    advantage: Advantage
    zero_variance: Literal["keep", "drop", "resample"] = "keep"

    def measure(self, rollouts: Sequence[Rollout]) -> Measured:
        """Score the rollouts. Raises TrainingError, with the row, where a score is not finite."""
        raw: Measured = {}
        for part in self.scores:
            told = part(rollouts)
            raw[part.name] = told.values
            raw |= {f"{part.name}_{name}": numbers for name, numbers in told.more.items()}
        for name, numbers in raw.items():
            for number, rollout in zip(numbers, rollouts, strict=True):
                if not math.isfinite(number):
                    where = rollout.example.origin or rollout.example.id
                    raise TrainingError(f"{where}: score '{name}' is {number}")
        return raw

    def values(self, raw: Measured) -> Tensor:
        """Return the weighted sums, (N,) float64."""
        columns = [[part.weight * value for value in raw[part.name]] for part in self.scores]
        return torch.tensor([sum(row) for row in zip(*columns, strict=True)], dtype=torch.float64)

    def judge(self, rollouts: Sequence[Rollout], raw: Measured | None = None) -> Judged:
        """Judge the rollouts by what was measured of them; `raw` saves measuring them again."""
        raw = self.measure(rollouts) if raw is None else raw
        values, groups = self.values(raw), groups_of(rollouts)
        counted = ~equal(values, groups) if self.zero_variance == "drop" else None
        return Judged(values.float(), self.advantage(values, groups).float(), raw, counted)


def groups_of(rollouts: Sequence[Rollout]) -> Tensor:
    """Return each rollout's group, (N,)."""
    return torch.tensor([rollout.group for rollout in rollouts])


def equal(values: Tensor, groups: Tensor) -> Tensor:
    """Return, (N,) bool, which rollouts' groups have one value only. values, groups: (N,)."""
    names, index = groups.unique(return_inverse=True)
    least = values.new_full((len(names),), torch.inf).scatter_reduce(0, index, values, "amin")
    most = values.new_full((len(names),), -torch.inf).scatter_reduce(0, index, values, "amax")
    return (least == most)[index]
