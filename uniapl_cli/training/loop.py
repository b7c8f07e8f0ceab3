"""The training loop, one for every method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import torch
from pydantic import NonNegativeInt, PositiveFloat

from uniapl_cli.errors import ServerError
from uniapl_cli.monitoring.cost import memory_gib, tokens_per_second
from uniapl_cli.monitoring.gradients import measured_terms
from uniapl_cli.monitoring.idle import IdleCounter
from uniapl_cli.options import MISSING, Count, Options, key
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.runs.signals import Interrupted
from uniapl_cli.sources.source import Source, SourceBatch, StepContext
from uniapl_cli.statistic import Statistic
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.counting import Counts, counted
from uniapl_cli.training.retry import MicroBatches
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.training.updater import Updater


class Training(Options):
    """How many steps, and how each updates. `micro_batch_tokens` does not change the gradient."""

    # Checkpoints are named by eight digits.
    steps: int = key(MISSING, "optimiser steps", ge=1, le=99_999_999)
    micro_batch_tokens: Count | None = key(
        None,
        "tokens a forward pass, padding included; a longer row is a pass of its own; null: "
        "1,024 on a CPU, 8,192 on a GPU",
        may_change=True,
    )
    checkpoint_activations: bool = key(
        False,
        "keep the inputs of layers alone, and compute each again to go back through it: a third "
        "more time, a fraction of the memory",
        may_change=True,
    )
    num_iterations: int = key(
        1, "updates a step makes from its batches (PPO's epochs)", ge=1, le=1000
    )
    max_grad_norm: PositiveFloat = key(1.0, "gradients are scaled down to this norm")
    exact_sums: bool = key(
        False,
        "add gradients up in float64, so that the number of processes changes no bit; 8 more bytes "
        "a trained weight",
        may_change=True,
    )
    max_idle_updates: NonNegativeInt = key(
        50, "steps in a row with a gradient of 0 after which a run stops and says why; 0: never"
    )


@dataclass(frozen=True)
class Settings:
    """The loop's options. micro_batch_tokens: padded tokens a forward pass, by source."""

    steps: int
    lr: Schedule
    micro_batch_tokens: Mapping[str, int]
    max_grad_norm: float
    save_every: int
    num_iterations: int = 1
    max_idle_updates: int = 0
    gradients_every: int = 0
    exact_sums: bool = False


class Reporter(Protocol):
    """Where the loop reports each step; it may also ask the loop to stop."""

    def rewind(self, step: int) -> None:
        """Delete the reports of steps after `step`: those steps are run again."""

    def report(
        self, step: int, metrics: Mapping[str, Any], drawn: Mapping[str, SourceBatch]
    ) -> None:
        """Record a finished step: its metrics and its batches."""

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a block in which Interrupted is raised as soon as the loop is to stop."""
        ...


def train(
    state: State,
    plan: Plan,
    sources: Mapping[str, Source],
    checkpoints: Checkpoints,
    reporter: Reporter,
    settings: Settings,
    reference: Reference | None = None,
    validate: Callable[[int], None] = lambda done: None,
) -> bool:
    """Train from the newest checkpoint to the last step. Return whether that was reached.

    A step draws its batches once and makes `num_iterations` updates from them. `validate` is called
    with the number of steps done, before each step and after the last one. To stop, it and the
    drawing are broken off; they come again. Raises ServerError, with a checkpoint from before the
    step, where a server that they ask stays away; TrainingError before an update whose gradient is
    not finite, and after `max_idle_updates` steps in a row whose gradient was 0.
    """
    start = checkpoints.resume(state)
    reporter.rewind(start)
    updater = make_updater(state, settings, plan)
    idle, saved = IdleCounter(settings.max_idle_updates), start
    with checkpoints.writer as writer:
        for step in range(start, settings.steps + 1):
            writer.check()  # rather than at the next checkpoint
            positions = state.positions()
            try:
                with reporter.interruptible():
                    validate(step)
                    if step == settings.steps:
                        return True
                    drawing = draw(step, state, plan, sources, settings, reference)
            except (Interrupted, ServerError) as stop:
                state.move(positions)
                if step != saved:
                    checkpoints.save(step, state, ends=True)
                if isinstance(stop, ServerError):
                    raise
                return False
            metrics, done = update(step, drawing, updater, plan, settings.lr(step)), step + 1
            reporter.report(done, metrics, drawing.drawn)
            largest = max(map(abs, plan.weights(step).values()))
            plan.observe(metrics)
            if done % settings.save_every == 0 or done == settings.steps:
                checkpoints.save(done, state, ends=done == settings.steps)
                saved = done
            idle.add(done, metrics["grad_norm"], metrics, largest)
        return True


def make_updater(state: State, settings: Settings, plan: Plan) -> Updater:
    """Return what makes the updates of the loop."""
    return Updater(
        state.trainable,
        state.optimizer,
        settings.max_grad_norm,
        settings.num_iterations,
        settings.gradients_every,
        settings.exact_sums,
        measured_terms(plan.measured),
    )


@dataclass(frozen=True)
class Drawing:
    """What a step updates from: its active terms, and their batches as drawn and as split."""

    active: Sequence[Term]
    drawn: Mapping[str, SourceBatch]
    batches: MicroBatches
    counts: Counts
    began: float
    sampled: float


def draw(
    step: int,
    state: State,
    plan: Plan,
    sources: Mapping[str, Source],
    settings: Settings,
    reference: Reference | None,
) -> Drawing:
    """Draw the batches of the step after `step` others; of the state, only streams move."""
    began, active = time.perf_counter(), plan.active(step)
    drawn = next_batches(active, sources, state.streams, step, plan.schedule_values(step))
    sampled = time.perf_counter()
    rows, counts = counted(active, {name: part.batch for name, part in drawn.items()})
    sizes, updates = settings.micro_batch_tokens, settings.num_iterations
    batches = prepare(state.trainable, active, rows, sizes, reference, updates)
    return Drawing(active, drawn, batches, counts, began, sampled)


def update(step: int, drawing: Drawing, updater: Updater, plan: Plan, lr: float) -> dict[str, Any]:
    """Make the updates of the step after `step` others; return its metrics."""
    weights, done = plan.weights(step), step + 1
    batches, counts = drawing.batches, drawing.counts.denominators
    gradients = updater.gradient_metrics(done, drawing.active, weights, batches, counts)
    means, norm = updater.update(done, drawing.active, weights, batches, lr, counts)
    numbers = {"lr": lr, "grad_norm": norm, **plan.schedule_values(step), **gradients}
    shares, drawn = drawing.counts.logged, source_metrics(drawing.drawn)
    metrics = {**summary(weights, means), **shares, **numbers, **drawn}
    spent = cost(updater.trainable.device, drawing)
    return {**metrics, **spent}


def next_batches(
    active: Sequence[Term],
    sources: Mapping[str, Source],
    streams: Mapping[str, Stream[Any]],
    step: int,
    values: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, SourceBatch]:
    """Draw a batch from each source of the active terms, in the order of `sources`.

    Each stream advances once, so sources that share a stream get the same examples.
    """
    needed = {term.source for term in active}
    names = [name for name in sources if name in needed]
    items = {stream: streams[stream].next() for stream in {sources[n].stream: 0 for n in names}}
    drawn: dict[str, SourceBatch] = {}
    for name in names:
        own = [term for term in active if term.source == name]
        rewards = list({t.reward: 0 for t in own if t.reward is not None})
        needs = {fact for term in own for fact in term.facts}
        stream = sources[name].stream
        more = streams[stream].next
        context = StepContext(items[stream], step, rewards, more, values, needs, dict(drawn))
        drawn[name] = sources[name].draw(context)
    return drawn


def summary(weights: Mapping[str, float], means: Mapping[str, Statistic]) -> dict[str, float]:
    """Return the loss, and the value of each term and of each of its metrics."""
    values = {name: mean.value for name, mean in means.items()}
    loss = sum(weights[name] * value for name, value in values.items() if name in weights)
    return {"loss": loss, **values}


def cost(device: torch.device, drawing: Drawing) -> dict[str, float]:
    """Return a step's cost: seconds to draw and to update, trained tokens a second, memory."""
    ended = time.perf_counter()
    batches = [part.batch.model_input() for part in drawing.drawn.values()]
    tokens = sum(int(batch.loss_mask.sum()) for batch in batches)
    return {
        "seconds/sources": drawing.sampled - drawing.began,
        "seconds/update": ended - drawing.sampled,
        "tokens_per_second": tokens_per_second(tokens, ended - drawing.began),
        "memory_gib": memory_gib(device),
    }


def source_metrics(drawn: Mapping[str, SourceBatch]) -> dict[str, float]:
    """Return every source's metrics under the source's name."""
    return {
        f"{source}/{name}": value
        for source, part in drawn.items()
        for name, value in part.metrics.items()
    }
