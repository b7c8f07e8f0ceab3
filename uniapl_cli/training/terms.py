"""Terms: the summands of the gradient; and plans: a method's terms with their schedules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, field_validator
from torch import Tensor

from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.objectives.reductions import Reduction, token
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.registry import Choice
from uniapl_cli.statistic import Mean, Statistic
from uniapl_cli.tensors import Batch, TokenLoss
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
    """weight(step) times an objective's reduced loss on batches of a source."""

    name: str
    source: str
    weight: Weight
    objective: Callable[[Tensor, Any], TokenLoss]
    reward: str | None = None
    needs_reference: bool = False
    reduction: Reduction = token
    corrects: bool = False

    def count(self, batch: Batch) -> Tensor:
        """Return what a batch adds to the denominator, which is summed over the whole step."""
        return self.reduction(batch.mask_for(self.reward))[1]

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Mean, dict[str, Statistic]]:
        """Return the loss as a Mean, and the statistics that the objective has logged."""
        result = self.objective(outputs, batch)
        mask = batch.mask_for(self.reward)
        divisors, count = self.reduction(mask)
        total = (result.per_token * mask / divisors).sum()
        return Mean(total, count), result.statistics(mask)


@dataclass(frozen=True)
class Plan:
    """A method: its terms, and the schedules that their weights are computed from.

    telling: the steps that show which terms are ever active; None: all. unknown: the terms that may
    be active at other steps too.
    """

    terms: Sequence[Term]
    schedules: Mapping[str, Schedule]
    steps: int
    telling: Sequence[int] | None = None
    unknown: Collection[str] = ()

    def schedule_values(self, step: int) -> dict[str, float]:
        """Return each schedule's value at a step."""
        return {name: schedule(step) for name, schedule in self.schedules.items()}

    def weights(self, step: int) -> dict[str, float]:
        """Return each term's weight at a step."""
        values = self.schedule_values(step)
        return {term.name: term.weight(values) for term in self.terms}

    def active(self, step: int) -> list[Term]:
        """Return the terms whose weight is not 0; the others are not computed at this step."""
        weights = self.weights(step)
        return [term for term in self.terms if weights[term.name] != 0]

    @cached_property
    def ever_active(self) -> list[Term]:
        """The terms whose weight is not 0, or may not be, at some step of the run."""
        unseen = [term for term in self.terms if term.name not in self.unknown]
        for step in range(self.steps) if self.telling is None else self.telling:
            values = self.schedule_values(step)
            unseen = [term for term in unseen if term.weight(values) == 0]
            if not unseen:
                break
        return [term for term in self.terms if term not in unseen]
