"""Updates of the model from a step's batches."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from uniapl_cli.errors import TrainingError
from uniapl_cli.monitoring.gradients import gradient_report, term_gradients
from uniapl_cli.reasons import within_memory
from uniapl_cli.statistic import Statistic
from uniapl_cli.training.accumulate import NONE, accumulate, gradient_norm
from uniapl_cli.training.optim import Optimizer
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.retry import MicroBatches
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updates import Update

UPDATE_ADVICE = "Train an adapter (model.adapter), or set {}.kind=adamw8bit"


@dataclass(frozen=True)
class Updater:
    """Updates a model; every `gradients_every` steps it also reports each term's gradient.

    measured: the terms whose gradients are reported at every step. section: the one of the config
    that the optimiser is made of.
    """

    trainable: Trainable
    optimizer: Optimizer
    updates: Sequence[Update]
    num_iterations: int = 1
    gradients_every: int = 0
    exact_sums: bool = False
    measured: Collection[str] = ()
    section: str = "optim"

    @property
    def parameters(self) -> list[Tensor]:
        """The trained weights."""
        return [p for p in self.trainable.model.parameters() if p.requires_grad]

    def update(
        self,
        step: int,
        terms: Sequence[Term],
        weights: Mapping[str, float],
        batches: MicroBatches,
        lr: float,
        counts: Mapping[str, float] = NONE,
    ) -> tuple[dict[str, Statistic], dict[str, float]]:
        """Make the updates, `num_iterations` times; return the means, and the last norm of each.

        counts: the terms' denominators, by name, where they are known already. An update without
        a term at this step is not made. Raises TrainingError, before one whose gradient is not
        finite.
        """
        means: dict[str, Statistic] = {}
        norms: dict[str, float] = {}
        micros: MicroBatches = batches
        rounds = [update for _ in range(self.num_iterations) for update in self.updates]
        for update in (one for one in rounds if one.of(terms)):
            own = update.of(terms)
            sources = {term.source for term in own}
            of_own: MicroBatches = {name: one for name, one in micros.items() if name in sources}
            new, of_own = self._accumulate(own, weights, of_own, counts)
            micros = {**micros, **of_own}
            norm = norms[update.name] = gradient_norm(self.parameters, update.max_grad_norm)
            if not math.isfinite(norm):
                raise non_finite(step, norm, new, self.section)
            advice = UPDATE_ADVICE.format(self.section)
            with within_memory(lambda: "in the update", f"{self.section}.kind", advice):
                self.optimizer.step(lr, update.moments)
            means |= {name: means[name] + m if name in means else m for name, m in new.items()}
        return means, norms

    def gradient_metrics(
        self,
        step: int,
        terms: Sequence[Term],
        weights: Mapping[str, float],
        batches: MicroBatches,
        counts: Mapping[str, float] = NONE,
    ) -> dict[str, float]:
        """Return the norms of the terms' weighted gradients and the cosines between them, if due.

        It takes one more backward pass a term, and does not affect training.
        """
        due = self.gradients_every and step % self.gradients_every == 0
        by_name = {term.name: term for term in terms if due or term.name in self.measured}
        if not by_name:
            return {}

        def add(name: str) -> None:
            source = by_name[name].source
            self._accumulate([by_name[name]], weights, {source: batches[source]}, counts)

        found = term_gradients(self.parameters, add)
        return gradient_report(found, list(by_name), self.trainable.ranks)

    def _accumulate(
        self,
        terms: Sequence[Term],
        weights: Mapping[str, float],
        batches: MicroBatches,
        counts: Mapping[str, float],
    ) -> tuple[dict[str, Statistic], MicroBatches]:
        exact = self.exact_sums
        return accumulate(self.trainable, terms, weights, batches, counts, exact=exact)


def non_finite(
    step: int, norm: float, means: Mapping[str, Statistic], section: str = "optim"
) -> TrainingError:
    """Return the error for a gradient that is not finite."""
    terms = ", ".join(f"{name} {mean.value:.4g}" for name, mean in means.items())
    return TrainingError(
        f"the gradient's norm at step {step} is {norm}; this update was not made. Terms: {terms}",
        f"Lower {section}.lr; the newest checkpoint is from before it",
        got=norm,
    )
