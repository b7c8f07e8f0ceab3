"""The training loop, one for every method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch

from uniapl_cli.errors import ServerError
from uniapl_cli.monitoring.cost import memory_gib, tokens_per_second
from uniapl_cli.monitoring.idle import IdleCounter
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.runs.signals import Interrupted
from uniapl_cli.sources.source import Source, SourceBatch
from uniapl_cli.statistic import Statistic
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.drawing import Drawing, draw, source_metrics
from uniapl_cli.training.learner import learn
from uniapl_cli.training.references import NONE, References
from uniapl_cli.training.settings import Settings
from uniapl_cli.training.terms import Plan
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update


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
    references: References = NONE,
) -> bool:
    """Train from the newest checkpoint to the last step. Return whether that was reached.

    A step draws its batches once and updates from them. `validate` is called with the number of
    steps done, before each step and after the last one. A stop breaks it and the drawing off.
    Raises ServerError, with a checkpoint from before the step, where a server stays away;
    TrainingError before a gradient that is not finite, and after `max_idle_updates` that are 0.
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
                    drawing = draw(step, state, plan, sources, settings, reference, references)
            except (Interrupted, ServerError) as stop:
                state.move(positions)
                if step != saved:
                    checkpoints.save(step, state, ends=True)
                if isinstance(stop, ServerError):
                    raise
                return False
            metrics, done = update(step, drawing, updater, plan, settings.lr(step)), step + 1
            state.follow()
            metrics |= learn(step, state.learners, drawing.drawn)
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
        settings.updates or [Update(max_grad_norm=settings.max_grad_norm)],
        settings.num_iterations,
        settings.gradients_every,
        settings.exact_sums,
        plan.measured,
    )


def update(step: int, drawing: Drawing, updater: Updater, plan: Plan, lr: float) -> dict[str, Any]:
    """Make the updates of the step after `step` others; return its metrics."""
    weights, done = plan.weights(step), step + 1
    batches, counts = drawing.batches, drawing.counts.denominators
    gradients = updater.gradient_metrics(done, drawing.active, weights, batches, counts)
    means, norms = updater.update(done, drawing.active, weights, batches, lr, counts)
    numbers = {"lr": lr, **grad_norms(norms), **plan.schedule_values(step), **gradients}
    shares, drawn = drawing.counts.logged, source_metrics(drawing.drawn)
    metrics = {**summary(weights, means), **shares, **numbers, **drawn}
    spent = cost(updater.trainable.device, drawing)
    return {**metrics, **spent}


def grad_norms(norms: Mapping[str, float]) -> dict[str, float]:
    """Return the largest of the updates' norms, and each where several were made."""
    each = {f"grad_norm/{name}": norm for name, norm in norms.items() if name}
    return {"grad_norm": max(norms.values(), default=0.0), **each}


def summary(weights: Mapping[str, float], means: Mapping[str, Statistic]) -> dict[str, float]:
    """Return the loss, and the value of each term and of each of its metrics."""
    values = {name: mean.value for name, mean in means.items()}
    loss = sum(weights[name] * value for name, value in values.items() if name in weights)
    return {"loss": loss, **values}


def cost(device: torch.device, drawing: Drawing) -> dict[str, float]:
    """Return a step's cost: seconds to draw and to update, trained tokens a second, memory."""
    ended = time.perf_counter()
    learnt = [drawing.drawn[source].batch for source in drawing.batches]
    batches = [batch.model_input() for batch in learnt if batch is not None]
    tokens = sum(int(batch.loss_mask.sum()) for batch in batches)
    return {
        "seconds/sources": drawing.sampled - drawing.began,
        "seconds/update": ended - drawing.sampled,
        "tokens_per_second": tokens_per_second(tokens, ended - drawing.began),
        "memory_gib": memory_gib(device),
    }
