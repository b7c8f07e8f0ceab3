"""The gradient of an update, accumulated over micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from uniapl_cli.partition import pass_tokens
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.statistic import Statistic
from uniapl_cli.tensors import Batch
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.retry import MicroBatches, passing, tried_twice
from uniapl_cli.training.terms import Term


@torch.no_grad()
def prepare(
    trainable: Trainable,
    terms: Sequence[Term],
    batches: Mapping[str, Batch],
    micro_batch_tokens: Mapping[str, int],
    reference: Reference | None = None,
    updates: int = 1,
) -> dict[str, list[Batch]]:
    """Split each source's batch into micro-batches of so many tokens on the trainable's device.

    Where a term needs them, the reference's log-probabilities are added, and before several updates
    the trainable's own. They are computed once a step, however many updates it makes.
    """
    prepared: dict[str, list[Batch]] = {}
    for source, batch in batches.items():
        device, tokens = trainable.device, micro_batch_tokens[source]
        micros = [m.to(device) for m in batch.split(tokens, pass_tokens(device.type))]
        own = [term for term in terms if term.source == source]
        reads: dict[str, Callable[[Batch], Batch]] = {}
        if any(term.needs_reference for term in own):
            assert reference is not None, "made wherever a term needs it"
            reads["reference's forward pass"] = _with_reference(reference)
        if updates > 1 and any(term.corrects for term in own):
            reads["forward pass before the updates"] = _with_start(trainable)
        for phase, read in reads.items():
            read_all = partial(_read, phase, source, read)
            micros, _ = tried_twice(read_all, {source: micros}, device, undo=lambda: None)
        prepared[source] = micros
    return prepared


def _with_reference(reference: Reference) -> Callable[[Batch], Batch]:
    return lambda micro: micro.with_reference(reference.forward)


def _with_start(trainable: Trainable) -> Callable[[Batch], Batch]:
    return lambda micro: micro.with_start(trainable.forward)


def _read(
    phase: str, source: str, read: Callable[[Batch], Batch], batches: MicroBatches
) -> list[Batch]:
    """Return a source's micro-batches with what a model reads of them."""
    found = []
    for micro in batches[source]:
        with passing(phase, source, [micro]):
            found.append(read(micro))
    return found


def accumulate(
    trainable: Trainable, terms: Sequence[Term], weights: Mapping[str, float], batches: MicroBatches
) -> dict[str, Statistic]:
    """Add the gradient of sum(weight * total / count) to the parameters; return the means.

    `count` is that of the whole step and is taken before the first forward pass, so the gradient
    does not depend on the split into micro-batches. The terms of a source share a forward pass.
    The means are named `TERM`, and `TERM/METRIC` for what an objective logs.
    """
    means: dict[str, Statistic] = {}
    for source, micros in batches.items():
        own_terms = [term for term in terms if term.source == source]
        counts = {t.name: torch.stack([t.count(m) for m in micros]).sum() for t in own_terms}
        with passing("forward pass", source, micros):
            complete = type(micros[0]).complete(micros, trainable.forward)
        for micro in complete:
            with passing("forward pass", source, [micro]):
                outputs = trainable.forward(micro.model_input())
                loss = 0 * outputs.sum()  # so that backward() works even if no token counts
                for term in own_terms:
                    mean, metrics = term.loss(outputs, micro)
                    loss = loss + weights[term.name] * mean.total / counts[term.name].clamp(min=1)
                    _add(means, term.name, mean)
                    for name, value in metrics.items():
                        _add(means, f"{term.name}/{name}", value)
            with passing("backward pass", source, [micro]):
                loss.backward()
            del outputs, loss  # before the next pass makes its own
    return means


def _add(means: dict[str, Statistic], name: str, statistic: Statistic) -> None:
    detached = statistic.each(Tensor.detach)
    means[name] = means[name] + detached if name in means else detached


def gradient_norm(parameters: Sequence[Tensor], limit: float) -> float:
    """Scale gradients down to the norm `limit`; return the norm before, which may be inf or nan."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
