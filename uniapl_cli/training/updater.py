"""Updates of the model from a step's batches."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from uniapl_cli.errors import TrainingError
from uniapl_cli.monitoring.gradients import gradient_report, measured_terms, term_gradients
from uniapl_cli.monitoring.noise import HALF, compared, noise_report, noisy_terms
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

    measured: the metrics of terms' gradients that are reported at every step. section: the one of
    the config that the optimiser is made of.
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
        followed = measured_terms(self.measured)
        by_name = {term.name: term for term in terms if due or term.name in followed}

        def add(name: str) -> None:
            source = by_name[name].source
            self._accumulate([by_name[name]], weights, {source: batches[source]}, counts)

        found = term_gradients(self.parameters, add)
        norms = gradient_report(found, list(by_name), self.trainable.ranks) if by_name else {}
        return {**norms, **self._noise(terms, batches)}

    def _noise(self, terms: Sequence[Term], batches: MicroBatches) -> dict[str, float]:
        """Return the noise of gradients that schedules follow, by two more passes a term."""
        names = noisy_terms(self.measured)
        by_name = {term.name: term for term in terms if term.name in names}
        if not by_name:
            return {}

        def gradient_of(name: str, half: bool) -> list[Tensor]:
            """Return a term's mean gradient over the rows of one half, its weight left out."""
            part, source = (
                by_name[name].of_rows(HALF if half else f"not {HALF}"),
                by_name[name].source,
            )
            weight = 2.0 if part.over == "source" else 1.0  # whose count is that of both halves
            add = partial(self._accumulate, [part], {name: weight}, {source: batches[source]}, NONE)
            return term_gradients(self.parameters, lambda _: add())(name)

        pairs = [pair for pair in compared(self.measured) if by_name.keys() >= {*pair}]
        return noise_report(gradient_of, list(by_name), pairs, self.trainable.ranks)

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
