"""One step's gradient, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from uniapl_cli.tensors import LossBatch, Mean, TokenBatch
from uniapl_cli.training.learner import Learner
from uniapl_cli.training.terms import Term


def accumulate(
    learner: Learner,
    terms: Sequence[Term],
    weights: Mapping[str, float],
    batches: Mapping[str, LossBatch],
    micro_batch_size: int,
    reference: Learner | None = None,
) -> dict[str, Mean]:
    """Add the gradient of sum(weight * total / count) to the parameters; return the means.

    Counts are of the whole step, taken before the first forward, so the gradient does not depend
    on `micro_batch_size`. The terms of a source share one forward pass. The means are named by
    term, and `term/metric` for what an objective logs.
    """
    means: dict[str, Mean] = {}
    for source, batch in batches.items():
        mine = [term for term in terms if term.source == source]
        counts = {term.name: term.count(batch).clamp(min=1) for term in mine}
        for micro in batch.split(micro_batch_size):
            micro = micro.to(learner.device)
            if any(term.needs_reference for term in mine):
                micro = with_reference(micro, reference)
            outputs = learner.forward(micro)
            loss = 0 * outputs.sum()  # a graph to go back through even if every term is empty
            for term in mine:
                mean, metrics = term.loss(outputs, micro)
                loss = loss + weights[term.name] * mean.total / counts[term.name]
                _add(means, term.name, mean)
                for name, value in metrics.items():
                    _add(means, f"{term.name}/{name}", value)
            loss.backward()
    return means


@torch.no_grad()
def with_reference(micro: LossBatch, reference: Learner | None) -> TokenBatch:
    """Return the micro-batch with the frozen reference's log-probabilities."""
    assert isinstance(micro, TokenBatch) and reference is not None, "built with a reference"
    return replace(micro, ref_logps=reference.forward(micro))


def _add(means: dict[str, Mean], name: str, mean: Mean) -> None:
    detached = Mean(mean.total.detach(), mean.count)
    means[name] = means[name] + detached if name in means else detached


def gradient_norm(parameters: Sequence[Tensor], limit: float) -> float:
    """Scale gradients down to `limit` and return their norm before that; it may be inf or nan."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
