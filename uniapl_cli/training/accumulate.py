"""One update's gradient, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from uniapl_cli.tensors import ChoiceBatch, LabelledBatch, LossBatch, Mean, TokenBatch
from uniapl_cli.training.learner import Learner
from uniapl_cli.training.terms import Term

MicroBatches = Mapping[str, Sequence[LossBatch]]


class Reference(Protocol):
    """The frozen policy that others are held against."""

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities."""
        ...


def prepare(
    learner: Learner,
    terms: Sequence[Term],
    batches: Mapping[str, LossBatch],
    micro_batch_sizes: Mapping[str, int],
    reference: Reference | None = None,
) -> dict[str, list[LossBatch]]:
    """Cut each source's batch into micro-batches on the learner's device.

    Where a term needs them, they carry the reference's log-probabilities, which stay the same
    however many updates the step makes.
    """
    prepared: dict[str, list[LossBatch]] = {}
    for source, batch in batches.items():
        micros = [m.to(learner.device) for m in batch.split(micro_batch_sizes[source])]
        if any(term.needs_reference for term in terms if term.source == source):
            assert reference is not None, "built with a reference"
            micros = [with_reference(micro, reference) for micro in micros]
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
        for micro in with_baseline(learner, micros):
            outputs = learner.forward(sequences(micro))
            loss = 0 * outputs.sum()  # a graph to go back through even if every term is empty
            for term in mine:
                mean, metrics = term.loss(outputs, micro)
                loss = loss + weights[term.name] * mean.total / counts[term.name].clamp(min=1)
                _add(means, term.name, mean)
                for name, value in metrics.items():
                    _add(means, f"{term.name}/{name}", value)
            loss.backward()
    return means


def sequences(micro: LossBatch) -> LossBatch:
    """Return what the learner reads of a micro-batch: the answers, where it has such."""
    return micro.answers if isinstance(micro, (ChoiceBatch, LabelledBatch)) else micro


def with_reference(micro: LossBatch, reference: Reference) -> LossBatch:
    """Return the micro-batch with the frozen reference's log-probabilities."""

    @torch.no_grad()
    def read(batch: TokenBatch) -> TokenBatch:
        return replace(batch, ref_logps=reference.forward(batch))

    match micro:
        case TokenBatch():
            return read(micro)
        case ChoiceBatch():
            return ChoiceBatch(read(micro.answers))
        case LabelledBatch():
            return replace(micro, answers=read(micro.answers), mismatched=read(micro.mismatched))
    raise AssertionError(f"{type(micro).__name__} has no log-probabilities")


@torch.no_grad()
def with_baseline(learner: Learner, micros: Sequence[LossBatch]) -> Sequence[LossBatch]:
    """Return labelled micro-batches with KTO's baseline of all of them; others as they are.

    The baseline is max(0, the mean of log p / p_ref over mismatched answers), as in TRL.
    """
    labelled = [micro for micro in micros if isinstance(micro, LabelledBatch)]
    if not labelled:
        return micros
    found = []
    for side in (micro.mismatched for micro in labelled):
        assert side.ref_logps is not None, "prepared with a reference"
        gains = ((learner.forward(side) - side.ref_logps) * side.mask).sum(1)
        found.append(gains[side.mask.any(1)])  # a prompt without another's answer has no gain
    gains = torch.cat(found)
    baseline = (gains.sum() / max(len(gains), 1)).clamp(min=0)
    return [replace(micro, baseline=baseline) for micro in labelled]


def _add(means: dict[str, Mean], name: str, mean: Mean) -> None:
    detached = Mean(mean.total.detach(), mean.count)
    means[name] = means[name] + detached if name in means else detached


def gradient_norm(parameters: Sequence[Tensor], limit: float) -> float:
    """Scale gradients down to `limit` and return their norm before that; it may be inf or nan."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
