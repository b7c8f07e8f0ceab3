"""Rollouts to advantages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from uniapl_cli.errors import TrainingError
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


@dataclass(frozen=True)
class Judged:
    """What a signal made of a step's rollouts. values, advantages: (N,) float32.

    `scores` holds each score's numbers, and under `SCORE_NAME` what else it told: `coef_r`.
    """

    values: Tensor
    advantages: Tensor
    scores: dict[str, list[float]]


@dataclass(frozen=True)
class Signal:
    """A weighted sum of scores, turned into advantages by a rule."""

    name: str
    scores: Sequence[Weighted]
    advantage: Advantage

    def judge(self, rollouts: Sequence[Rollout]) -> Judged:
        """Judge the rollouts. Raises TrainingError, with the row, where a score is not finite."""
        raw: dict[str, list[float]] = {}
        for part in self.scores:
            found = part.score(rollouts)
            told = found if isinstance(found, Scored) else Scored(found)
            raw[part.name] = told.values
            raw |= {f"{part.name}_{name}": numbers for name, numbers in told.more.items()}
        for name, numbers in raw.items():
            for number, rollout in zip(numbers, rollouts, strict=True):
                if not math.isfinite(number):
                    where = rollout.example.origin or rollout.example.id
                    raise TrainingError(f"{where}: score '{name}' is {number}")
        columns = [[part.weight * value for value in raw[part.name]] for part in self.scores]
        values = torch.tensor([sum(row) for row in zip(*columns, strict=True)], dtype=torch.float64)
        groups = torch.tensor([rollout.group for rollout in rollouts])
        advantages = self.advantage(values, groups)
        return Judged(values.float(), advantages.float(), raw)
