"""uniapl pretrain-polar: a config to the training of a discriminator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.device import arithmetic
from uniapl_cli.commands.inputs import Inputs, data_input, model_input, variable_inputs
from uniapl_cli.commands.job import Job, execute
from uniapl_cli.commands.method import learning_rate, plan
from uniapl_cli.commands.opening import open_run
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.reads import POLAR, SECTIONS
from uniapl_cli.commands.run import (
    check_directory,
    check_inputs,
    finished,
    is_finished,
)
from uniapl_cli.commands.streams import bad_rows, examples
from uniapl_cli.commands.together import together
from uniapl_cli.commands.track import check_trackers
from uniapl_cli.commands.updating import make_optimizer
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows
from uniapl_cli.discriminators import discriminators
from uniapl_cli.discriminators.polar.polar import Polar, PolarModel, new_polar, token_id
from uniapl_cli.loading import load_tokenizer, read_model_config
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.seeding import derive
from uniapl_cli.sources.comparisons import (
    Comparisons,
    ComparisonsOptions,
    PairMaker,
    load_trajectories,
    pair_accuracy,
)
from uniapl_cli.training.checkpoint import State
from uniapl_cli.training.discriminator import TrainableDiscriminator
from uniapl_cli.training.streams import Stream

SOURCE = "comparisons"


def pretrain_polar(
    config: Config, *, dry_run: bool = False, ranks: Ranks = ALONE
) -> dict[str, Any]:
    """Train a POLAR-format discriminator by Bradley-Terry on trajectories of several policies.

    Returns the run's paths and the pair accuracy on the held-out trajectories, by the kind of
    negative, with standard errors; of several `ranks`, that train it together, the first one does.
    """
    if dry_run and not ranks.first:
        return {}
    config.require("run.dir", "polar.init", "training.steps")
    config.require_filled(*SECTIONS["pretrain-polar"])
    method, lr = plan(config), learning_rate(config)
    check_trackers(config)
    source = config.source(SOURCE)
    assert isinstance(source, ComparisonsOptions)
    if ranks.first:
        check_outputs(config, "pretrain-polar")
    with bad_rows(config, dry_run=dry_run or not ranks.first) as bad:
        maker = pair_maker(config, "trajectories", source, bad)
        heldout = pair_maker(config, "heldout", source, bad)
    options = scoring_options(config)
    stream: Stream[Any] = Stream(
        SOURCE, maker.trajectories.ids, source.pairs_per_step, derive(config.seed, "stream")
    )
    run = RunDirectory(Path(config.run.dir))
    check_directory(run, config, POLAR)
    location = components.locate(config, "polar.init", config.polar.init)
    inputs = {**variable_inputs(config, POLAR), **polar_inputs(config)}
    check_inputs(run, config, inputs)
    tokenizer = marked_tokenizer(config, location)
    if dry_run:
        return described(config, maker)
    device = together(ranks, config, location)
    if not ranks.of_first(lambda: is_finished(run, config), "the start"):
        polar = started(config, location, options, tokenizer)
        trainable = TrainableDiscriminator(polar, device, config.precision, ranks=ranks)
        state = State(trainable, make_optimizer(config, trainable.model), {SOURCE: stream})
        sources = {SOURCE: Comparisons(SOURCE, polar, maker, config.seed)}
        open_run(run, config, device, inputs, ranks)
        execute(Job(config, run, method, lr, state, sources))
    if not ranks.first:
        return {}
    judge = options.make(str(run.final), device, config.precision)
    accuracy = pair_accuracy(judge, heldout, config.seed)
    run.write("accuracy.json", json.dumps(accuracy, indent=1) + "\n")
    return {**finished(run), "accuracy": accuracy}


def described(config: Config, maker: PairMaker) -> dict[str, Any]:
    """Return what a run would do."""
    return {
        "computed in": arithmetic(config),
        "prompts": len(maker.trajectories.ids),
        "negatives": maker.kinds(),
        "run": config.run.dir,
    }


def started(config: Config, location: str, options: Polar, tokenizer: Any) -> PolarModel:
    """Return the discriminator that training starts from. Raises ModelError."""
    with config.blaming("polar.init"):
        marks = config.polar.separator, config.polar.tail
        polar = new_polar(location, *marks, options, tokenizer=tokenizer)
        components.announce_dtype(config, read_model_config(location).dtype)
    return polar


def polar_inputs(config: Config) -> Inputs:
    """Return what the run reads: the policies' trajectories, and the model that it starts from.

    A policy is named by its file.
    """
    inputs: dict[str, Any] = {}
    for index, file in enumerate(config.polar.trajectories):
        with config.blaming("polar.trajectories"):
            record = {**data_input(config, file), "policy": Path(file).stem}
        inputs[f"polar.trajectories[{index}]"] = record
    with config.blaming("polar.init"):
        inputs["polar.init"] = model_input(config.polar.init)
    return inputs


def marked_tokenizer(config: Config, location: str) -> Any:
    """Return the tokenizer. Raises ConfigError if it lacks the separator or the tail token."""
    with config.blaming("polar.init"):
        tokenizer = load_tokenizer(location)
    for name in ("separator", "tail"):
        with config.blaming(f"polar.{name}"):
            token_id(tokenizer, getattr(config.polar, name))
    return tokenizer


def scoring_options(config: Config) -> Polar:
    """Return the options for scoring: those of the config if its discriminator is a POLAR."""
    options = config.discriminator
    chosen = options if isinstance(options, Polar) else discriminators.options("polar")
    assert isinstance(chosen, Polar)
    return chosen.model_copy(update={"revision": None})


def pair_maker(config: Config, name: str, source: ComparisonsOptions, bad: BadRows) -> PairMaker:
    """Read the policies' trajectories; each policy is named by its file."""
    key, files = f"polar.{name}", getattr(config.polar, name)
    with config.blaming(key):
        read = {Path(path).stem: examples(config, key, path, bad) for path in files}
        return PairMaker(load_trajectories(read), source.corruptions)
