"""The summands of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, field_validator
from torch import Tensor

from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.objectives.reductions import Reduction, token
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.registry import Choice
from uniapl_cli.tensors import Batch, Mean, TokenLoss
from uniapl_cli.training.schedules import Schedule, Weight, parse_weight


def _as_text(weight: Any) -> Any:
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    return str(weight) if number else weight


class TermOptions(Options):
    """One summand of the gradient: weight times an objective's mean over a source's tokens."""

    source: str = key(MISSING, "where its batches come from: one of `sources`")
    objective: Annotated[Options, Choice(objectives)] = key(
        MISSING, "see `uniapl list objectives`; or {kind: surrogate, reward: verifier}"
    )
    weight: Annotated[str, BeforeValidator(_as_text)] = key(
        "1", "arithmetic over the schedules' names: (1 - alpha) * lambda_adv"
    )
    reduction: Annotated[Options, Choice(reductions)] = key(
        reductions.options("token"), "token, sequence, constant or {kind: constant, length: 1024}"
    )

    @field_validator("weight")
    @classmethod
    def _arithmetic(cls, weight: str) -> str:
        parse_weight(weight)
        return weight


@dataclass(frozen=True)
class Term:
    """weight(step) times the reduced loss of an objective over a source's places that count."""

    name: str
    source: str
    weight: Weight
    objective: Callable[[Tensor, Any], TokenLoss]
    reward: str | None = None
    needs_reference: bool = False
    reduction: Reduction = token

    def count(self, batch: Batch) -> Tensor:
        """Return the batch's share of the denominator, which is the whole step's sum of them."""
        return self.reduction(batch.mask_for(self.reward))[1]

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Mean, dict[str, Mean]]:
        """Return the undivided mean of the loss, and the token means of the objective's metrics."""
        result = self.objective(outputs, batch)
        mask = batch.mask_for(self.reward)
        divisors, count = self.reduction(mask)
        total = (result.per_token * mask / divisors).sum()
        metrics = {
            name: Mean((value.detach() * mask).sum(), mask.sum())
            for name, value in result.metrics.items()
        }
        return Mean(total, count), metrics


@dataclass(frozen=True)
class Plan:
    """A method: its terms, and the schedules their weights are made of, over a run's steps."""

    terms: Sequence[Term]
    schedules: Mapping[str, Schedule]
    steps: int

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

    @cached_property
    def ever_active(self) -> list[Term]:
        """The terms that are active at any step of the run."""
        unseen = list(self.terms)
        for step in range(self.steps):
            scales = self.scales(step)
            unseen = [term for term in unseen if term.weight(scales) == 0]
            if not unseen:
                break
        return [term for term in self.terms if term not in unseen]
