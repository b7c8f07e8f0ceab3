"""uniapl train: a config to a training run."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.device import announce_arithmetic, device_name, use_device
from uniapl_cli.commands.dry_run import describe
from uniapl_cli.commands.facts import run_facts
from uniapl_cli.commands.generator import check_generator
from uniapl_cli.commands.inputs import (
    Inputs,
    data_input,
    discriminator_input,
    model_input,
    template_input,
    variable_inputs,
)
from uniapl_cli.commands.method import learning_rate, plan
from uniapl_cli.commands.model_folder import save_model
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.parts import (
    make_shared,
    make_sources,
    micro_batch_tokens,
    needs_reference,
    reward_needs,
    samples,
)
from uniapl_cli.commands.reads import keys_of_training
from uniapl_cli.commands.run import (
    check_directory,
    check_inputs,
    finished,
    is_finished,
    open_run,
    resumable,
    with_date,
)
from uniapl_cli.commands.streams import FILES, make_streams, terms_by_stream
from uniapl_cli.commands.track import check_trackers, tracking
from uniapl_cli.commands.validating import Validation, make_validation
from uniapl_cli.commands.validation import (
    check_validation,
    validation_inputs,
)
from uniapl_cli.commands.validation_rows import read_validation
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import UniAPLError
from uniapl_cli.loading import context_length
from uniapl_cli.monitoring.health import Health
from uniapl_cli.monitoring.reporter import Reporter
from uniapl_cli.monitoring.tracking import Tracking
from uniapl_cli.runs.console import bar, messages
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.signals import Stopped, StopRequest
from uniapl_cli.sources import Source
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.adapter import require_peft
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.loop import Settings
from uniapl_cli.training.loop import train as run_loop
from uniapl_cli.training.optim import Optimizer, optimizers, require_package
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.terms import Plan

log = logging.getLogger("uniapl")


def train(config: Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Train a policy as the config says, from where an earlier run of it stopped.

    Returns the last step's metrics and the paths of what was written. With `dry_run`, everything is
    read and checked but no weights are loaded and nothing is written.
    """
    config.require("run", "model.path", "training", "terms", "optim")
    method, lr = plan(config), learning_rate(config)
    check_packages(config)
    run = RunDirectory(Path(config.run.dir))
    config, keys = with_date(config, run), keys_of_training(config, method)
    config.require_filled(*(key.partition(".")[0] for key in keys))
    check_validation(config, method)
    check_directory(run, config, keys)
    done = is_finished(run, config) and not dry_run
    if not done:
        check_outputs(config, "train")
    try:
        location = components.locate(config, "model.path", config.model.path)
        chat = components.policy_chat(config, location)
        inputs = {**variable_inputs(config, keys), **training_inputs(config, method, chat)}
    except UniAPLError:
        if done:  # what it has read may be gone by now
            return finished(run)
        raise
    check_inputs(run, config, inputs)
    if done:
        return finished(run)
    with config.blaming("model.path"):
        context = context_length(location, config.model.revision)
    streams = make_streams(config, method, chat, context, dry_run=dry_run)
    heldout = read_validation(config, chat, context, streams)
    if "discriminator" in reward_needs(config, method) or config.validation.compares:
        components.find_discriminator(config)
    if samples(config, method) or config.validation.samples_policy:
        check_generator(config, location, device_name(config))
    if dry_run:
        frozen = needs_reference(config, method)
        return describe(config, method, streams, location, frozen, heldout)
    device = use_device(config)
    policy, reference = policies(config, method, location, chat, device)
    shared = make_shared(config, method, chat, policy, reference, device)
    sources = make_sources(config, method, shared)
    validation = make_validation(config, method, run, heldout, context, shared)
    state = State(policy, make_optimizer(config, policy.model), streams)
    open_run(run, config, device, inputs)
    announce_arithmetic(config)
    return execute(Job(config, run, method, lr, state, sources, reference, validation))


def check_packages(config: Config) -> None:
    """Refuse what needs a package that is not installed. Raises ConfigError and ModelError."""
    check_trackers(config)
    if config.model.adapter is not None:
        with config.blaming("model.adapter"):
            require_peft()
    with config.blaming("optim.kind"):
        require_package(config.optim)


def policies(
    config: Config, method: Plan, location: str, chat: Chat, device: str
) -> tuple[Policy, Policy | None]:
    """Load the policy, and its frozen reference where a term or a reward needs that."""
    policy = components.trained_policy(config, location, chat, device)
    if not needs_reference(config, method):
        return policy, None
    return policy, components.reference(config, location, policy, device)


def training_inputs(config: Config, method: Plan, chat: Chat) -> Inputs:
    """Return what the run reads: files of data, the template, models. Raises DataError."""
    inputs: dict[str, Any] = {"chat.template": template_input(chat.tokenizer, config.chat.template)}
    for name in terms_by_stream(config, method):
        if (file := getattr(config.data, name, None)) is not None and name in FILES:
            with config.blaming(f"data.{name}"):
                inputs[f"data.{name}"] = data_input(config, file, name)
    with config.blaming("model.path"):
        inputs["model.path"] = model_input(config.model.path, config.model.revision)
    if "discriminator" in reward_needs(config, method) or config.validation.compares:
        inputs["discriminator.path"] = discriminator_input(config)
    return {**inputs, **validation_inputs(config)}


def make_optimizer(config: Config, model: Any) -> Optimizer:
    """Return the optimiser of a model's trainable parameters."""
    with config.blaming("optim.kind"):
        return optimizers.bind(config.optim)(model)


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
    validation: Validation | None = None

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
        )


def execute(job: Job) -> dict[str, Any]:
    """Run the loop, write the final model, and close the run directory."""
    with closing(job.run), tracking(job.config, job.run) as shown:
        try:
            return _execute(job, shown)
        finally:
            shutil.rmtree(job.run.scratch, ignore_errors=True)  # of the size of a model


def _execute(job: Job, shown: Tracking) -> dict[str, Any]:
    config, run, state = job.config, job.run, job.state
    training, began = config.training, time.monotonic()
    if training.checkpoint_activations:
        with config.blaming("training.checkpoint_activations"):
            checkpoint_activations(state.trainable.model, config.precision)
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
        reporter = Reporter(run, config.run, progress, stop, health, shown)
        validate = partial(job.validation, reporter) if job.validation else lambda done: None
        parts = checkpoints, reporter, job.settings(), job.reference, validate
        if not run_loop(state, job.method, job.sources, *parts):
            assert stop.number is not None, "only a signal ends the loop early"
            raise Stopped(stop.number)
    with resumable(run):
        row = next(iter(run.validated()[::-1]), None)
        save_model(run.final, config, job.method, run, state.trainable, row, {})
    log.info("%d steps in %.0f s", training.steps, time.monotonic() - began)
    return finished(run)


def announce(at_once: bool) -> None:
    """Say that the run stops: at once, or soon."""
    when = "before this step" if at_once else "after this step, with a checkpoint"
    messages.print(f"stopping {when}; once more stops at once")
