"""uniapl train: a config to a training run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.device import device_name
from uniapl_cli.commands.dry_run import describe
from uniapl_cli.commands.generator import check_generator
from uniapl_cli.commands.inputs import (
    Inputs,
    data_input,
    discriminator_input,
    model_input,
    template_input,
    variable_inputs,
)
from uniapl_cli.commands.job import Job, execute
from uniapl_cli.commands.learning import check_teachers, learner_locations, make_learners
from uniapl_cli.commands.method import learning_rate, plan
from uniapl_cli.commands.opening import open_run
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.parts import (
    make_shared,
    make_sources,
    needs_reference,
    reward_needs,
    samples,
)
from uniapl_cli.commands.reads import keys_of_training
from uniapl_cli.commands.referring import check_models, make_references, others
from uniapl_cli.commands.run import (
    check_directory,
    check_inputs,
    finished,
    is_finished,
    with_date,
)
from uniapl_cli.commands.streams import FILES, make_streams, terms_by_stream
from uniapl_cli.commands.together import together
from uniapl_cli.commands.track import check_trackers
from uniapl_cli.commands.updating import make_optimizer, updates_of
from uniapl_cli.commands.validating import make_validation
from uniapl_cli.commands.validation import (
    check_validation,
    validation_inputs,
)
from uniapl_cli.commands.validation_rows import read_validation
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import UniAPLError
from uniapl_cli.loading import context_length, read_model_config
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.sources import Source
from uniapl_cli.sources.held import Held
from uniapl_cli.training.adapter import require_peft
from uniapl_cli.training.checkpoint import State
from uniapl_cli.training.optim import require_package
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.state import Moving
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan

log = logging.getLogger("uniapl")


def train(config: Config, *, dry_run: bool = False, ranks: Ranks = ALONE) -> dict[str, Any]:
    """Train a policy as the config says, from where an earlier run of it stopped.

    Returns the last step's metrics and the paths of what was written; of several `ranks`, that
    train it together, the first one does. With `dry_run`, everything is read and checked but no
    weights are loaded and nothing is written.
    """
    if dry_run and not ranks.first:
        return {}
    config.require("run", "model.path", "training", "terms", "optim")
    method, lr, _ = plan(config), learning_rate(config), updates_of(config)
    check_packages(config)
    run = RunDirectory(Path(config.run.dir))
    keys = keys_of_training(config, method)
    config = with_date(config, run, ALONE if dry_run else ranks)
    config.require_filled(*(key.partition(".")[0] for key in keys))
    check_validation(config, method)
    check_directory(run, config, keys)
    done = not dry_run and ranks.of_first(lambda: is_finished(run, config), "the start")
    if not done and ranks.first:
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
    streams = make_streams(config, method, chat, context, dry_run=dry_run or not ranks.first)
    heldout = read_validation(config, chat, context, streams)
    check_others(config, method, chat, location, streams)
    if dry_run:
        return describe(config, method, streams, location, heldout)
    device = together(ranks, config, location)
    policy, reference = policies(config, method, location, chat, device, ranks)
    named, averages = make_references(config, method, location, policy, reference, chat, device)
    learners = make_learners(config, method, location, chat, device, ranks)
    shared = make_shared(config, method, chat, policy, reference, device, learners)
    sources = make_sources(config, method, shared)
    validation = make_validation(config, method, run, heldout, context, shared)
    moving, optimizer = moving_parts(method, sources), make_optimizer(config, policy.model)
    state = State(policy, optimizer, streams, moving, averages, learners)
    open_run(run, config, device, inputs, ranks)
    return execute(Job(config, run, method, lr, state, sources, reference, named, validation))


def check_others(
    config: Config, method: Plan, chat: Chat, location: str, streams: Mapping[str, Stream[Any]]
) -> None:
    """Refuse what the run has beside the policy, where it is not there or does not fit."""
    check_teachers(config, method, streams)
    check_models(config, method, chat)
    if "discriminator" in reward_needs(config, method) or config.validation.compares:
        components.find_discriminator(config)
    if samples(config, method) or config.validation.samples_policy:
        check_generator(config, location, device_name(config))


def moving_parts(method: Plan, sources: Mapping[str, Source]) -> dict[str, Moving]:
    """Return what moves from step to step beside streams, by the key that it belongs to."""
    held = {name: one.memory for name, one in sources.items() if isinstance(one, Held)}
    return {
        **{f"schedules.{name}": one for name, one in method.controllers.items()},
        **{f"sources.{name}": one for name, one in held.items()},
    }


def check_packages(config: Config) -> None:
    """Refuse what needs a package that is not installed. Raises ConfigError and ModelError."""
    check_trackers(config)
    if config.model.adapter is not None:
        with config.blaming("model.adapter"):
            require_peft()
    with config.blaming("optim.kind"):
        require_package(config.optim)


def policies(
    config: Config, method: Plan, location: str, chat: Chat, device: str, ranks: Ranks = ALONE
) -> tuple[Policy, Policy | None]:
    """Load the policy, and its frozen reference where a term or a reward needs that."""
    policy = components.trained_policy(config, location, chat, device, ranks)
    with config.blaming("model.path"):
        before = read_model_config(location, config.model.revision).dtype
        components.announce_dtype(config, before)
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
    for name, options in others(config, method).items():
        if options.path is not None:
            with config.blaming(f"references.{name}.path"):
                record = model_input(options.path, options.revision)
            inputs[f"references.{name}.path"] = record
    for key, where in learner_locations(config, method).items():
        inputs[key] = model_input(where)
    if "discriminator" in reward_needs(config, method) or config.validation.compares:
        inputs["discriminator.path"] = discriminator_input(config)
    return {**inputs, **validation_inputs(config)}
