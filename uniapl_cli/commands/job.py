"""A training run that is ready to start, and its execution."""

from __future__ import annotations

import logging
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from uniapl_cli.commands.device import announce_arithmetic
from uniapl_cli.commands.facts import run_facts
from uniapl_cli.commands.model_folder import save_learners, save_model
from uniapl_cli.commands.parts import micro_batch_tokens
from uniapl_cli.commands.run import finished, resumable
from uniapl_cli.commands.track import tracking
from uniapl_cli.commands.updating import updates_of
from uniapl_cli.commands.validating import Validation
from uniapl_cli.config.schema import Config
from uniapl_cli.monitoring.health import Health
from uniapl_cli.monitoring.ranked import RankedReporter
from uniapl_cli.monitoring.reporter import Reporter
from uniapl_cli.monitoring.tracking import Tracking
from uniapl_cli.ranks import Ranks
from uniapl_cli.runs.console import bar, messages
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.signals import Stopped, StopRequest
from uniapl_cli.sources import Source
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.loop import train as run_loop
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.references import NONE, References
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.settings import Settings
from uniapl_cli.training.terms import Plan

log = logging.getLogger("uniapl")


@dataclass(frozen=True)
class Job:
    """A run that is ready to start: its directory is open and its parts are made."""

    config: Config
    run: RunDirectory
    method: Plan
    lr: Schedule
    state: State
    sources: Mapping[str, Source]
    reference: Policy | None = None
    references: References = NONE
    validation: Validation | None = None

    @property
    def ranks(self) -> Ranks:
        """Who train it together."""
        return self.state.trainable.ranks

    def settings(self) -> Settings:
        """Return the loop's options."""
        config, training = self.config, self.config.training
        device = self.state.trainable.device.type
        return Settings(
            steps=training.steps,
            lr=self.lr,
            micro_batch_tokens={n: micro_batch_tokens(config, n, device) for n in self.sources},
            max_grad_norm=training.max_grad_norm,
            save_every=config.run.save_every,
            num_iterations=training.num_iterations,
            max_idle_updates=training.max_idle_updates,
            gradients_every=config.run.gradients_every,
            exact_sums=training.exact_sums,
            updates=updates_of(config),
        )


def execute(job: Job) -> dict[str, Any]:
    """Run the loop, write the final model, and close the run directory."""
    announce_arithmetic(job.config)  # now that nothing is left to be refused
    job.ranks.keep_log(job.run.path / "logs")
    if not job.ranks.first:
        return _execute(job, Tracking())
    with closing(job.run), tracking(job.config, job.run) as shown:
        try:
            return _execute(job, shown)
        finally:
            shutil.rmtree(job.run.scratch, ignore_errors=True)  # of the size of a model


def _execute(job: Job, shown: Tracking) -> dict[str, Any]:
    config, run, state, ranks = job.config, job.run, job.state, job.ranks
    training, began = config.training, time.monotonic()
    if training.checkpoint_activations:
        with config.blaming("training.checkpoint_activations"):
            for one in (state.trainable, *(own.trainable for own in state.learners.values())):
                checkpoint_activations(one.model, config.precision)
    checkpoints = Checkpoints(
        run.checkpoints, config.run.keep_checkpoints, config.run.checkpoint_beside
    )
    with (
        resumable(run),
        StopRequest(announce) as stop,
        bar(str(config.method or "train"), training.steps) as progress,
    ):
        health = (
            Health(run_facts(config, job.method, state.trainable.device))
            if config.run.health
            else None
        )
        own = Reporter(run, config.run, progress, stop, health, shown)
        reporter = own if ranks.world == 1 else RankedReporter(ranks, stop, own)
        validate = partial(job.validation, reporter) if job.validation else lambda done: None
        parts = checkpoints, reporter, job.settings(), job.reference, validate, job.references
        if not run_loop(state, job.method, job.sources, *parts):
            # A signal, to this rank or to another.
            raise Stopped(stop.number or signal.SIGINT)
    with resumable(run):
        save_learners(run, config, state)  # before final/, with which the run has finished
        row = next(iter(run.validated()[::-1]), None) if ranks.first else None
        save_model(run.final, config, job.method, run, state.trainable, row, {})
        ranks.gather(None, "saving the model")
    if not ranks.first:
        return {}
    log.info("%d steps in %.0f s", training.steps, time.monotonic() - began)
    return finished(run)


def announce(at_once: bool) -> None:
    """Say that the run stops: at once, or soon."""
    when = "before this step" if at_once else "after this step, with a checkpoint"
    messages.print(f"stopping {when}; once more stops at once")
