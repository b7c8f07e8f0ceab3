"""Terms: the summands of the gradient; and plans: a method's terms with their schedules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import field_validator
from torch import Tensor

from uniapl_cli.formulas import Arithmetic, Formula
from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.objectives.reductions import Reduction, token
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.readings import Divergence, Reading
from uniapl_cli.registry import Choice
from uniapl_cli.statistic import Mean, Statistic
from uniapl_cli.tensors import Batch, TokenLoss
from uniapl_cli.training import starting as starting
from uniapl_cli.training.controller import Controller
from uniapl_cli.training.live import facts
from uniapl_cli.training.schedules import Schedule, Weight

# What a term's sum of losses is divided by: what it counts, or all that its source has.
Over = Literal["rows", "source"]


class TermOptions(Options):
    """One summand of the gradient: weight times an objective's mean over a source's tokens."""

    source: str = key(MISSING, "where its batches come from: one of `sources`")
    objective: Annotated[Options, Choice(objectives)] = key(
        MISSING, "see `uniapl list objectives`; or {kind: surrogate, reward: verifier}"
    )
    weight: Arithmetic = key("1", "arithmetic over the schedules' names: (1 - alpha) * lambda_adv")
    reduction: Annotated[Options, Choice(reductions)] = key(
        reductions.options("token"), "token, sequence, constant or {kind: constant, length: 1024}"
    )
    rows: str | None = key(
        None, "only rows for which this is true: expert and right_share <= gate; null: all"
    )
    tokens: str | None = key(None, "only tokens for which this is true: not given; null: all")
    scale: Arithmetic | None = key(
        None, "each token's loss is multiplied by this, held constant: (1 - p) ** 0.5"
    )
    over: Over = key("rows", "losses are divided by what the term counts, or by all of its source")

    @field_validator("rows", "tokens")
    @classmethod
    def _truth(cls, text: str | None) -> str | None:
        if text is not None:
            Formula(text, "truth")
        return text

    @property
    def conditions(self) -> dict[str, Formula]:
        """The formulas over facts and schedules, by the name of their key."""
        texts = {"rows": self.rows, "tokens": self.tokens}
        found = {name: Formula(text, "truth") for name, text in texts.items() if text is not None}
        return found if self.scale is None else {**found, "scale": Formula(self.scale)}


@dataclass(frozen=True)
class Term:
    """weight(step) times an objective's reduced loss on batches of a source.

    rows, tokens: what counts, where not all does. scale: what each loss is multiplied by. readings:
    what a pass has to give beside log-probabilities. values: those of the schedules at the step.
    references: whose log-probabilities it needs beside the start's. shown: the facts that decide
    what its references are shown.
    """

    name: str
    source: str
    weight: Weight
    objective: Callable[[Tensor, Any], TokenLoss]
    reward: str | None = None
    needs_reference: bool = False
    reduction: Reduction = token
    corrects: bool = False
    rows: Formula | None = None
    tokens: Formula | None = None
    scale: Formula | None = None
    over: Over = "rows"
    readings: Sequence[Reading] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    references: Sequence[str] = ()
    shown: Sequence[str] = ()

    @property
    def teachers(self) -> set[str]:
        """The references whose whole distributions it needs."""
        return {one.reference for one in self.readings if isinstance(one, Divergence)}

    @property
    def facts(self) -> set[str]:
        """The names of the facts that it needs, and of those that they are made of."""
        formulas = (self.rows, self.tokens, self.scale)
        own = {name for one in formulas if one for name in one.names if name in facts}
        return own.union(self.shown, *(facts[name].traits.get("needs", ()) for name in own))

    def of_rows(self, condition: str) -> Term:
        """Return the term over those of its rows for which a condition is true as well."""
        text = condition if self.rows is None else f"({self.rows.text}) and {condition}"
        return replace(self, rows=Formula(text, "truth"))

    def mask(self, batch: Batch) -> Tensor:
        """Return the tokens that it counts, (B, T) bool."""
        mask = batch.mask_for(self.reward)
        for condition in (self.rows, self.tokens):
            if condition is not None:
                mask = mask & condition({**self.values, **batch.facts})
        return mask

    def count(self, batch: Batch) -> Tensor:
        """Return what a batch adds to the denominator, which is summed over the whole step."""
        return self.reduction(self._divided(batch, self.mask(batch)))[1]

    def _divided(self, batch: Batch, mask: Tensor) -> Tensor:
        return mask if self.over == "rows" else batch.mask_for(self.reward)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Mean, dict[str, Statistic]]:
        """Return the loss as a Mean, and the statistics that the objective has logged."""
        result, mask = self.objective(outputs, batch), self.mask(batch)
        divisors, count = self.reduction(self._divided(batch, mask))
        losses, logged = result.per_token, result.statistics(mask)
        if self.scale is not None:
            # Where a token does not count, its scale may be infinite, such as that of a share of 0.
            scale = self._scale(outputs.detach(), batch).expand_as(mask).masked_fill(~mask, 0)
            losses = scale * losses
            logged["scale"] = Mean.of(scale, mask)
        if self.rows is not None or self.tokens is not None:
            base = batch.mask_for(self.reward)
            logged["counted"] = Mean.of(mask.float(), base)
        total = (losses * mask / divisors).sum()
        return Mean(total, count), logged

    def _scale(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return what each loss is multiplied by, (B, T) or less, without a gradient."""
        assert self.scale is not None
        known = {**self.values, **batch.facts}
        live = [name for name in self.facts if facts[name].traits["when"] == "pass"]
        known |= {name: facts[name].definition(outputs, batch).detach() for name in live}
        scale = self.scale(known)
        return outputs.new_tensor(scale) if isinstance(scale, float) else scale


# A weight that is 0 at all of these is taken to be 0 whatever a schedule's value is.
ANY = (0.0, 0.37, 1.0)


@dataclass(frozen=True)
class Plan:
    """A method: its terms, and the schedules that their weights are computed from.

    telling: the steps that show which terms are ever active; None: all. unknown: the terms that may
    be active at other steps too. unforeseen: the schedules that may have any value at any step.
    """

    terms: Sequence[Term]
    schedules: Mapping[str, Schedule]
    steps: int
    telling: Sequence[int] | None = None
    unknown: Collection[str] = ()
    unforeseen: Collection[str] = ()

    @property
    def controllers(self) -> dict[str, Controller]:
        """The schedules that follow what is measured."""
        return {n: one for n, one in self.schedules.items() if isinstance(one, Controller)}

    @cached_property
    def measured(self) -> set[str]:
        """The names of the metrics that schedules follow."""
        return {name for one in self.controllers.values() for name in one.reads.values()}

    def observe(self, metrics: Mapping[str, Any]) -> None:
        """Move the schedules that follow what a step has measured."""
        for controller in self.controllers.values():
            controller.observe(metrics)

    def schedule_values(self, step: int) -> dict[str, float]:
        """Return each schedule's value at a step."""
        return {name: schedule(step) for name, schedule in self.schedules.items()}

    def weights(self, step: int) -> dict[str, float]:
        """Return each term's weight at a step."""
        values = self.schedule_values(step)
        return {term.name: term.weight(values) for term in self.terms}

    def active(self, step: int) -> list[Term]:
        """Return the terms whose weight is not 0; the others are not computed at this step."""
        values = self.schedule_values(step)
        return [replace(term, values=values) for term in self.terms if term.weight(values) != 0]

    @cached_property
    def ever_active(self) -> list[Term]:
        """The terms whose weight is not 0, or may not be, at some step of the run."""
        unseen = [term for term in self.terms if term.name not in self.unknown]
        for step in range(self.steps) if self.telling is None else self.telling:
            values = self.schedule_values(step)
            tried = [values, *({**values, **dict.fromkeys(self.unforeseen, one)} for one in ANY)]
            tried = tried if self.unforeseen else [values]
            unseen = [t for t in unseen if all(t.weight(one) == 0 for one in tried)]
            if not unseen:
                break
        return [term for term in self.terms if term not in unseen]
