"""The gradient of an update, accumulated over micro-batches and ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import add
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.partition import pass_tokens
from uniapl_cli.ranks import Ranks
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.statistic import Mean, Statistic
from uniapl_cli.tensors import START, Batch
from uniapl_cli.training.dealing import dealt
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.retry import MicroBatches, passing, tried_twice
from uniapl_cli.training.starting import start_facts, start_readings, with_facts
from uniapl_cli.training.summing import GradientSum
from uniapl_cli.training.terms import Term

Means = dict[str, Statistic]
NONE: Mapping[str, float] = MappingProxyType({})


@torch.no_grad()
def prepare(
    trainable: Trainable,
    terms: Sequence[Term],
    batches: Mapping[str, Batch],
    micro_batch_tokens: Mapping[str, int],
    reference: Reference | None = None,
    updates: int = 1,
    references: Mapping[str, Reference] = MappingProxyType({}),
) -> dict[str, list[Batch]]:
    """Split each source's batch into micro-batches of so many tokens on the trainable's device.

    Of several ranks each gets its own. Where a term needs them, the log-probabilities of the
    reference and of others by name are added, and before several updates the trainable's own. They
    are computed once a step, however many updates it makes; whole distributions of references
    within each pass.
    """
    models = references if reference is None else {**references, START: reference}
    prepared: dict[str, list[Batch]] = {}
    for source, batch in batches.items():
        device, tokens = trainable.device, micro_batch_tokens[source]
        mine = dealt(trainable.ranks, batch, tokens, pass_tokens(device.type))
        micros = [micro.to(device) for micro in mine]
        own = [term for term in terms if term.source == source]
        reads: dict[str, Callable[[Batch], Batch]] = {}
        if any(term.needs_reference for term in own):
            reads["reference's forward pass"] = _with_reference(models[START])
        if others := dict.fromkeys(name for term in own for name in term.references):
            compared = {name: models[name].forward for name in others}
            reads["references' forward passes"] = _with_references(compared)
        if updates > 1 and any(term.corrects for term in own):
            reads["forward pass before the updates"] = _with_start(trainable)
        names = start_facts({name for term in own for name in term.facts})
        if names:
            reads["forward pass of the step's start"] = _with_readings(trainable, names)
        for phase, read in reads.items():
            read_all = partial(_read, phase, source, read)
            micros, _ = tried_twice(read_all, {source: micros}, trainable, undo=lambda: None)
        if teachers := {name: models[name].teacher for term in own for name in term.teachers}:
            micros = [micro.with_teachers(teachers) for micro in micros]
        gather = partial(trainable.ranks.gather, doing="the facts of the step's start")
        prepared[source] = with_facts(micros, names, gather) if names else micros
    return prepared


def _with_reference(reference: Reference) -> Callable[[Batch], Batch]:
    return lambda micro: micro.with_reference(reference.forward)


def _with_references(compared: Mapping[str, Callable[[Any], Tensor]]) -> Callable[[Batch], Batch]:
    return lambda micro: micro.with_references(compared)


def _with_start(trainable: Trainable) -> Callable[[Batch], Batch]:
    return lambda micro: micro.with_start(trainable.forward)


def _with_readings(trainable: Trainable, names: Sequence[str]) -> Callable[[Batch], Batch]:
    readings = start_readings(names)
    return lambda micro: micro.with_readings(
        trainable.forward_with(micro.model_input(), readings)[1]
    )


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
    trainable: Trainable,
    terms: Sequence[Term],
    weights: Mapping[str, float],
    batches: MicroBatches,
    counts: Mapping[str, float] = NONE,
    *,
    exact: bool = False,
) -> tuple[Means, MicroBatches]:
    """Add the gradient of sum(weight * total / count) to the parameters, which have none yet.

    `count` is that of the whole step, of all ranks, and is taken before the first forward pass, so
    the gradient does not depend on the split into micro-batches, nor on who computes which. counts:
    those that are known already, of rows that are here no more. The terms of a source share a
    forward pass. `exact`: gradients are added up in float64.

    Returns the means, named `TERM`, and `TERM/METRIC` for what an objective logs; and the
    micro-batches, which are smaller where memory was refused.
    """
    ranks = trainable.ranks
    own = {source: [term for term in terms if term.source == source] for source in batches}
    batches, found = _contributions(trainable, batches)
    mine = {t.name: _sum(t.count(m) for m in batches[s]) for s in own for t in own[s]}
    gathered = ranks.gather((mine, found), "the update")
    whole = {name: float(sum(part[name] for part, _ in gathered)) for name in mine}
    whole |= {name: count for name, count in counts.items() if name in whole}
    batches = _completed(batches, [part for _, part in gathered])
    gradient = GradientSum(trainable, exact)

    def attempt(micros: MicroBatches) -> Means:
        """Add up the gradient of these."""
        return _add_gradients(trainable, own, weights, whole, micros, gradient)

    means, batches = tried_twice(attempt, batches, trainable, gradient.clear)
    means = joined(ranks, means)
    for name, mean in means.items():
        if name in counts and isinstance(mean, Mean):  # counted are rows that were left out too
            means[name] = Mean(mean.total, mean.total.new_tensor(whole[name]))
    gradient.finish()
    return means, batches


def _add_gradients(
    trainable: Trainable,
    terms: Mapping[str, Sequence[Term]],
    weights: Mapping[str, float],
    counts: Mapping[str, float],
    batches: MicroBatches,
    gradient: GradientSum,
) -> Means:
    """Add up the gradients of this rank's micro-batches; return its part of the means."""
    means: Means = {}
    passes = [(source, micro) for source, micros in batches.items() for micro in micros]
    for number, (source, micro) in enumerate(passes, 1):
        with gradient.of_pass(last=number == len(passes)):
            with passing("forward pass", source, [micro]):
                outputs, micro = _outputs(trainable, micro, terms[source])
                loss = 0 * outputs.sum()  # so that backward() works even if no token counts
                for term in terms[source]:
                    mean, metrics = term.loss(outputs, micro)
                    loss = loss + weights[term.name] * mean.total / max(counts[term.name], 1.0)
                    _add(means, term.name, mean)
                    for name, value in metrics.items():
                        _add(means, f"{term.name}/{name}", value)
            with passing("backward pass", source, [micro]):
                (loss * gradient.scale).backward()
            del outputs, loss  # before the next pass makes its own
    return means


def _outputs(trainable: Trainable, micro: Batch, terms: Sequence[Term]) -> tuple[Tensor, Batch]:
    """Return the model's outputs, and the batch with the readings that the terms need."""
    wanted = dict.fromkeys(reading for term in terms for reading in term.readings)
    if not wanted:
        return trainable.forward(micro.model_input()), micro
    outputs, readings = trainable.forward_with(micro.model_input(), list(wanted))
    return outputs, micro.with_readings(readings)


def _add(means: Means, name: str, statistic: Statistic) -> None:
    detached = statistic.each(Tensor.detach)
    means[name] = means[name] + detached if name in means else detached


def joined(ranks: Ranks, means: Means) -> Means:
    """Return the means of all ranks."""
    mine = {name: mean.each(lambda part: part.double().cpu()) for name, mean in means.items()}
    parts = ranks.gather(mine, "the means of the update")
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: reduce(add, [part[name] for part in parts if name in part]) for name in names}


@torch.no_grad()
def _contributions(
    trainable: Trainable, batches: MicroBatches
) -> tuple[MicroBatches, dict[str, list[Tensor]]]:
    """Return what the whole step has to know of this rank's micro-batches, by source."""

    def attempt(micros: MicroBatches) -> dict[str, list[Tensor]]:
        """Return the contributions of these."""
        found: dict[str, list[Tensor]] = {}
        for source, micro in ((s, m) for s, parts in micros.items() for m in parts):
            with passing("forward pass", source, [micro]):
                part = micro.contribution(trainable.forward)
            if part is not None:
                found.setdefault(source, []).append(part.cpu())
        return found

    found, batches = tried_twice(attempt, batches, trainable, undo=lambda: None)
    return batches, found


def _completed(
    batches: MicroBatches, parts: Sequence[Mapping[str, Sequence[Tensor]]]
) -> MicroBatches:
    known: dict[str, list[Tensor]] = {}
    for source, found in (item for part in parts for item in part.items()):
        known.setdefault(source, []).extend(found)
    return {
        source: [m.completed(known[source]) for m in micros] if source in known else micros
        for source, micros in batches.items()
    }


def _sum(counts: Iterable[Tensor]) -> float:
    return float(sum(counts, torch.zeros(())))


def gradient_norm(parameters: Sequence[Tensor], limit: float) -> float:
    """Scale gradients down to the norm `limit`; return the norm before, which may be inf or nan."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
