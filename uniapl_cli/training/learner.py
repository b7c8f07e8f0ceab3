"""Further learners: models that are trained beside the policy, on what its steps draw."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import PositiveFloat
from torch import Tensor, nn

from uniapl_cli.discriminators.local import refuse_overlong
from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import objectives
from uniapl_cli.options import Count, FilePath, Options, key
from uniapl_cli.registry import Choice, NameOf
from uniapl_cli.seeding import derive
from uniapl_cli.sources.source import SourceBatch
from uniapl_cli.tensors import TokenLoss
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.discriminator import TrainableDiscriminator
from uniapl_cli.training.optim import Optimizer, OptimOptions, optimizers, trained
from uniapl_cli.training.pairing import Reading, Rows, comparable, paired
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update
from uniapl_cli.types import Rollout

POLICY = "policy"


class LearnerOptions(Options):
    """A model that is trained to tell the teacher's responses from the policy's rollouts."""

    init: FilePath = key(
        POLICY,
        "what it starts from: policy is the policy's start with a head of zeros; or a reward model",
    )
    source: str = key("rollouts", "whose rollouts it compares with the teacher's responses")
    objective: Annotated[str, NameOf(objectives)] = key(
        "bradley_terry", "an objective of pairs: the teacher's response, a rollout"
    )
    optim: Annotated[OptimOptions, Choice(optimizers, "adamw")] = key(
        optimizers.options("adamw"), "its own optimiser"
    )
    pairs_per_step: Count | None = key(
        None, "pairs of an update, drawn anew; null: every rollout with its teacher's response"
    )
    every: Count = key(
        1, "steps between its updates, at which its source is drawn, also where no term takes it"
    )
    max_grad_norm: PositiveFloat = key(1.0, "gradients are scaled down to this norm")
    micro_batch_tokens: Count | None = key(
        None, "tokens a pass; null takes training.micro_batch_tokens", may_change=True
    )


@dataclass
class Learner:
    """A model in training beside the policy; what it thinks of rollouts may be a reward.

    reading: how it reads them. objective: of PairBatches. tokens: those of a pass. trained: the
    trained weights by name.
    """

    name: str
    options: LearnerOptions
    trainable: TrainableDiscriminator
    optimizer: Optimizer
    reading: Reading
    objective: Callable[[Tensor, Any], TokenLoss]
    lr: Schedule
    tokens: int
    seed: int
    exact_sums: bool = False
    trained: dict[str, nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.trained = trained(self.trainable.model)

    def learns(self, step: int) -> bool:
        """Whether there is an update at the step after `step` others."""
        return step % self.options.every == 0

    def score(self, rollouts: Sequence[Rollout]) -> list[float]:
        """Return one score a rollout, as the weights are now. Raises ModelError if one is long."""
        rows = self._read(self.reading.rollouts, rollouts)
        return self.trainable.score(rows, self.tokens)

    def learn(self, step: int, drawn: Mapping[str, SourceBatch]) -> dict[str, float]:
        """Make the update of the step after `step` others; return what is logged of it.

        Without a pair there is none. Raises TrainingError, before the update, when the gradient is
        not finite.
        """
        rollouts = drawn[self.options.source].rollouts
        bare = {r.group for r in rollouts if r.example.response is None}
        metrics = {"prompts_without_teacher": float(len(bare))}
        most, seed = self.options.pairs_per_step, derive(self.seed, f"learners.{self.name}", step)
        chosen = comparable(rollouts, most, seed)
        metrics["pairs"] = float(len(chosen))
        if chosen:
            metrics |= self._update(step, chosen)
        return {f"learners/{self.name}/{name}": value for name, value in metrics.items()}

    def _update(self, step: int, rollouts: Sequence[Rollout]) -> dict[str, float]:
        own = f"learners.{self.name}"
        term = Term(own, own, Formula("1"), self.objective)
        better = self._read(self.reading.teachers, rollouts)
        batches = {own: paired(better, self._read(self.reading.rollouts, rollouts))}
        micros = prepare(self.trainable, [term], batches, {own: self.tokens})
        updater = Updater(
            self.trainable,
            self.optimizer,
            [Update(max_grad_norm=self.options.max_grad_norm)],
            exact_sums=self.exact_sums,
            section=f"{own}.optim",
        )
        lr = self.lr(step)
        means, norms = updater.update(step + 1, [term], {own: 1.0}, micros, lr)
        named = {name.removeprefix(own).strip("/") or "loss": m for name, m in means.items()}
        values = {name: mean.value for name, mean in named.items()}
        return {**values, "grad_norm": max(norms.values()), "lr": lr}

    def _read(self, read: Callable[[Sequence[Rollout]], Rows], rollouts: Sequence[Rollout]) -> Rows:
        rows = read(rollouts)
        context = getattr(self.trainable.model.config, "max_position_embeddings", None)
        refuse_overlong([r.example.origin or r.example.id for r in rollouts], rows, context)
        return rows


def learn(
    step: int, learners: Mapping[str, Learner], drawn: Mapping[str, SourceBatch]
) -> dict[str, float]:
    """Make each learner's update of a step; return what is logged of them."""
    if not learners:
        return {}
    began, metrics = time.perf_counter(), dict[str, float]()
    for learner in learners.values():
        metrics |= learner.learn(step, drawn) if learner.learns(step) else {}
    return {**metrics, "seconds/learners": time.perf_counter() - began}


def sources_of_learners(step: int, learners: Mapping[str, Learner]) -> set[str]:
    """Return the sources that learners need at a step, whether a term takes them or not."""
    return {one.options.source for one in learners.values() if one.learns(step)}
