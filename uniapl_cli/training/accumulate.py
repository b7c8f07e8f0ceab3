"""One update's gradient, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from uniapl_cli.rewards.reference import Reference
from uniapl_cli.tensors import Batch, Mean
from uniapl_cli.training.learner import Learner
from uniapl_cli.training.terms import Term

MicroBatches = Mapping[str, Sequence[Batch]]


@torch.no_grad()
def prepare(
    learner: Learner,
    terms: Sequence[Term],
    batches: Mapping[str, Batch],
    micro_batch_sizes: Mapping[str, int],
    reference: Reference | None = None,
) -> dict[str, list[Batch]]:
    """Cut each source's batch into micro-batches on the learner's device.

    Where a term needs them, they carry the reference's log-probabilities, which stay the same
    however many updates the step makes.
    """
    prepared: dict[str, list[Batch]] = {}
    for source, batch in batches.items():
        micros = [m.to(learner.device) for m in batch.split(micro_batch_sizes[source])]
        if any(term.needs_reference for term in terms if term.source == source):
            assert reference is not None, "built with a reference"
            micros = [micro.with_reference(reference.forward) for micro in micros]
        prepared[source] = micros
    return prepared


def accumulate(
    learner: Learner, terms: Sequence[Term], weights: Mapping[str, float], batches: MicroBatches
) -> dict[str, Mean]:
    """Add the gradient of sum(weight * total / count) to the parameters; return the means.

    Counts are of the whole step, taken before the first forward, so the gradient does not depend
    on the micro-batches. The terms of a source share one forward pass. The means are named by
    term, and `term/metric` for what an objective logs.
    """
    means: dict[str, Mean] = {}
    for source, micros in batches.items():
        mine = [term for term in terms if term.source == source]
        counts = {t.name: torch.stack([t.count(m) for m in micros]).sum() for t in mine}
        for micro in type(micros[0]).complete(micros, learner.forward):
            outputs = learner.forward(micro.model_input())
            loss = 0 * outputs.sum()  # a graph to go back through even if every term is empty
            for term in mine:
                mean, metrics = term.loss(outputs, micro)
                loss = loss + weights[term.name] * mean.total / counts[term.name].clamp(min=1)
                _add(means, term.name, mean)
                for name, value in metrics.items():
                    _add(means, f"{term.name}/{name}", value)
            loss.backward()
    return means


def _add(means: dict[str, Mean], name: str, mean: Mean) -> None:
    detached = Mean(mean.total.detach(), mean.count)
    means[name] = means[name] + detached if name in means else detached


def gradient_norm(parameters: Sequence[Tensor], limit: float) -> float:
    """Scale gradients down to `limit` and return their norm before that; it may be inf or nan."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
