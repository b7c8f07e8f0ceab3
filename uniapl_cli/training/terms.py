"""The summands of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from uniapl_cli.tensors import LossBatch, Mean, TokenLoss
from uniapl_cli.training.schedules import Schedule


@dataclass(frozen=True)
class Term:
    """weight(step) times the mean of an objective over a source's masked places."""

    name: str
    source: str
    weight: Callable[[Mapping[str, float]], float]
    objective: Callable[[Tensor, Any], TokenLoss]
    signal: str | None = None
    needs_reference: bool = False

    def count(self, batch: LossBatch) -> Tensor:
        """Return how many places the mean is over: the whole step's, counted before any forward."""
        return batch.mask.sum()

    def loss(self, outputs: Tensor, batch: LossBatch) -> tuple[Mean, dict[str, Mean]]:
        """Return the undivided mean of the loss, and those of the objective's metrics."""
        result = self.objective(outputs, batch)
        count = batch.mask.sum()
        total = (result.per_token * batch.mask).sum()
        metrics = {
            name: Mean((value.detach() * batch.mask).sum(), count)
            for name, value in result.metrics.items()
        }
        return Mean(total, count), metrics


@dataclass(frozen=True)
class Plan:
    """A method: its terms, and the schedules their weights are made of."""

    terms: Sequence[Term]
    schedules: Mapping[str, Schedule]

    def scales(self, step: int) -> dict[str, float]:
        """Return each schedule's value at a step."""
        return {name: schedule(step) for name, schedule in self.schedules.items()}

    def weights(self, step: int) -> dict[str, float]:
        """Return each term's weight at a step."""
        scales = self.scales(step)
        return {term.name: term.weight(scales) for term in self.terms}

    def active(self, step: int) -> list[Term]:
        """Return the terms whose weight is not zero; the others cost nothing at this step."""
        weights = self.weights(step)
        return [term for term in self.terms if weights[term.name] != 0]

    def ever_active(self, steps: int) -> list[Term]:
        """Return the terms that are active at any step of the run."""
        names = {term.name for step in range(steps) for term in self.active(step)}
        return [term for term in self.terms if term.name in names]
