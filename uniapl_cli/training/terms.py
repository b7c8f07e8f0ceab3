"""The summands of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from uniapl_cli.objectives.reductions import Reduction, token
from uniapl_cli.tensors import LossBatch, Mean, TokenBatch, TokenLoss
from uniapl_cli.training.schedules import Schedule


@dataclass(frozen=True)
class Term:
    """weight(step) times the reduced loss of an objective over a source's places that count."""

    name: str
    source: str
    weight: Callable[[Mapping[str, float]], float]
    objective: Callable[[Tensor, Any], TokenLoss]
    signal: str | None = None
    needs_reference: bool = False
    reduction: Reduction = token

    def places(self, batch: LossBatch) -> Tensor:
        """Return the mask of what counts: all of the batch's but the rows its signal leaves out."""
        counted = batch.counted.get(self.signal or "") if isinstance(batch, TokenBatch) else None
        return batch.mask if counted is None else batch.mask & counted.unsqueeze(1)

    def count(self, batch: LossBatch) -> Tensor:
        """Return the batch's share of the denominator, which is the whole step's sum of them."""
        return self.reduction(self.places(batch))[1]

    def loss(self, outputs: Tensor, batch: LossBatch) -> tuple[Mean, dict[str, Mean]]:
        """Return the undivided mean of the loss, and the token means of the objective's metrics."""
        result = self.objective(outputs, batch)
        mask = self.places(batch)
        divisors, count = self.reduction(mask)
        total = (result.per_token * mask / divisors).sum()
        metrics = {
            name: Mean((value.detach() * mask).sum(), mask.sum())
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
