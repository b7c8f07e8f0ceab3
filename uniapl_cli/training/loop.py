"""The one loop, for every method."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from uniapl_cli.tensors import Mean
from uniapl_cli.training.accumulate import MicroBatches, Reference, prepare, sequences
from uniapl_cli.training.checkpoint import Checkpoints
from uniapl_cli.training.idle import Idle
from uniapl_cli.training.learner import Learner
from uniapl_cli.training.meter import memory_gib, tokens_per_second
from uniapl_cli.training.optim import Optimizer
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.sources import Drawn, Source
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.training.updater import Updater


class Reporter(Protocol):
    """What the loop tells the outside world, and asks of it."""

    def rewind(self, step: int) -> None:
        """Forget what was reported after `step`, since those steps are about to be done again."""

    def report(self, step: int, metrics: Mapping[str, Any], drawn: Mapping[str, Drawn]) -> None:
        """Take the figures and the samples of a step that is done."""

    @property
    def stop_asked(self) -> bool:
        """Whether to save and stop after the present step."""
        ...


def train(
    learner: Learner,
    optimizer: Optimizer,
    plan: Plan,
    sources: Mapping[str, Source],
    streams: Mapping[str, Stream[Any]],
    checkpoints: Checkpoints,
    reporter: Reporter,
    *,
    steps: int,
    lr: Schedule,
    micro_batch_sizes: Mapping[str, int],
    max_grad_norm: float,
    save_every: int,
    inner_epochs: int = 1,
    max_idle_updates: int = 0,
    gradients_every: int = 0,
    reference: Reference | None = None,
) -> bool:
    """Train to `steps` from the newest checkpoint. Return whether the end was reached.

    A step draws its batches once and makes `inner_epochs` updates from them. Raises TrainingError,
    before the update, when the gradient is not finite, and when it was 0 `max_idle_updates` times
    in a row.
    """
    start = checkpoints.resume(learner, optimizer, streams)
    reporter.rewind(start)
    updater = Updater(learner, optimizer, max_grad_norm, inner_epochs, gradients_every)
    idle = Idle(max_idle_updates)
    for step in range(start, steps):
        began = time.perf_counter()
        weights, active = plan.weights(step), plan.active(step)
        drawn = draw(active, sources, streams, step)
        sampled = time.perf_counter()
        rows = {name: part.batch for name, part in drawn.items()}
        batches = prepare(learner, active, rows, micro_batch_sizes, reference)
        done = step + 1
        told = updater.diagnose(done, active, weights, batches)
        means, norm = updater.update(done, active, weights, batches, lr(step))
        figures = {"lr": lr(step), "grad_norm": norm, **plan.scales(step), **told}
        metrics = {**summary(weights, means), **figures, **source_metrics(drawn)}
        metrics |= cost(learner, batches, began, sampled)
        stopping = reporter.stop_asked
        reporter.report(done, metrics, drawn)
        if done % save_every == 0 or done == steps or stopping:
            checkpoints.save(done, learner, optimizer, streams)
        if stopping:
            return done == steps
        idle.note(done, norm, metrics)
    return True


def draw(
    active: list[Term],
    sources: Mapping[str, Source],
    streams: Mapping[str, Stream[Any]],
    step: int,
) -> dict[str, Drawn]:
    """Draw a batch from each source that an active term needs, in the order of `sources`.

    Each stream advances once, so two sources of one stream see the same examples.
    """
    needed = {term.source for term in active}
    names = [name for name in sources if name in needed]
    items = {stream: streams[stream].next() for stream in {sources[n].stream: 0 for n in names}}
    drawn = {}
    for name in names:
        asked = {t.signal: 0 for t in active if t.source == name and t.signal is not None}
        stream = sources[name].stream
        drawn[name] = sources[name].draw(items[stream], step, list(asked), streams[stream].next)
    return drawn


def summary(weights: Mapping[str, float], means: Mapping[str, Mean]) -> dict[str, float]:
    """Return the loss and each term's mean and metrics, divided at last."""
    values = {name: mean.value for name, mean in means.items()}
    loss = sum(weights[name] * value for name, value in values.items() if name in weights)
    return {"loss": loss, **values}


def cost(learner: Learner, batches: MicroBatches, began: float, sampled: float) -> dict[str, float]:
    """Return what a step took: seconds of its two halves, tokens trained on a second, memory."""
    ended = time.perf_counter()
    tokens = sum(int(sequences(m).mask.sum()) for micros in batches.values() for m in micros)
    return {
        "seconds/sources": sampled - began,
        "seconds/update": ended - sampled,
        "tokens_per_second": tokens_per_second(tokens, ended - began),
        "memory_gib": memory_gib(learner.device),
    }


def source_metrics(drawn: Mapping[str, Drawn]) -> dict[str, float]:
    """Return every source's metrics under the source's name."""
    return {
        f"{source}/{name}": value
        for source, part in drawn.items()
        for name, value in part.metrics.items()
    }
