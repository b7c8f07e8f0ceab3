"""A config to a training run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.build import models
from uniapl_cli.build.checks import (
    STEP,
    above_zero,
    not_negative,
    positive,
    rollout_sampling,
)
from uniapl_cli.build.choices import located
from uniapl_cli.build.method import plan
from uniapl_cli.build.run import Reporter, check_directory, finished, open_run
from uniapl_cli.build.signals import rule_of
from uniapl_cli.build.sources import make_reference, make_sources, micro_batch_sizes
from uniapl_cli.build.streams import fit_streams, make_streams
from uniapl_cli.config import schema
from uniapl_cli.config.load import require
from uniapl_cli.errors import ConfigError
from uniapl_cli.runs.console import StopRequest, bar
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training.checkpoint import Checkpoints
from uniapl_cli.training.health import Health
from uniapl_cli.training.learner import Learner, Policy, save_folder
from uniapl_cli.training.loop import train as run_loop
from uniapl_cli.training.optim import Optimizer, optimizers
from uniapl_cli.training.schedules import schedule
from uniapl_cli.training.sickness import Facts
from uniapl_cli.training.sources import Source
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan

log = logging.getLogger("uniapl")


def train(config: schema.Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Train a policy as the config says, from where an earlier run of it stopped.

    Returns the last step's metrics and the paths of what was written. With `dry_run`, everything is
    read and checked but nothing loaded onto the device or written.
    """
    require(config, ["run", "model", "training", "terms"])
    positive(config, *STEP)
    rollout_sampling(config)
    method = plan(config)
    micro_batch_sizes(config)
    streams = make_streams(config, method)
    make_optimizer(config)
    models.check_adapter(config.model)
    models.check_template(config.chat)
    run = RunDirectory(Path(config.run.dir))
    check_directory(run, config)
    if dry_run:
        return describe(config, method, streams)
    if run.finished:
        return finished(run)
    policy = models.trained_policy(config)
    fit_streams(config, method, policy, streams)
    reference = make_reference(config, method, policy)
    sources = make_sources(config, method, policy, reference)
    open_run(run, config)
    return execute(config, run, policy, method, sources, streams, reference)


def execute(
    config: schema.Config,
    run: RunDirectory,
    learner: Learner,
    method: Plan,
    sources: Mapping[str, Source],
    streams: Mapping[str, Stream[Any]],
    reference: Policy | None = None,
) -> dict[str, Any]:
    """Run the loop in an opened run directory and write the final model."""
    steps, began = config.training.steps, time.monotonic()
    checkpoints = Checkpoints(run.checkpoints, config.run.keep_checkpoints)
    with StopRequest() as stop, bar(str(config.method or "train"), steps) as shown:
        watched = Health(facts(config, method)) if config.run.health else None
        reporter = Reporter(run, config.run, shown, stop, watched)
        complete = run_loop(
            learner,
            make_optimizer(config)(learner.model),
            method,
            sources,
            streams,
            checkpoints,
            reporter,
            steps=steps,
            lr=schedule("optim.lr", config.optim.lr, steps),
            micro_batch_sizes=micro_batch_sizes(config),
            max_grad_norm=config.training.max_grad_norm,
            save_every=config.run.save_every,
            inner_epochs=config.training.inner_epochs,
            max_idle_updates=config.training.max_idle_updates,
            gradients_every=config.run.gradients_every,
            reference=reference,
        )
    if not complete:
        raise KeyboardInterrupt
    save_folder(run.final, learner.model, learner.tokenizer)
    log.info("%d steps in %.0f s", steps, time.monotonic() - began)
    return finished(run)


def facts(config: schema.Config, method: Plan) -> Facts:
    """Return what a watcher of the run's metrics must know of it."""
    terms = method.ever_active(config.training.steps)
    signals = {term.signal for term in terms if term.signal is not None}
    objective = {term.name: (config.terms[term.name] or schema.Term()).objective for term in terms}
    return Facts(
        surrogate_terms={term.name: term.signal for term in terms if term.signal is not None},
        contrasting=[name for name in signals if rule_of(config, name).facts.get("contrast")],
        kl_terms=[name for name, kind in objective.items() if kind == "kl"],
        nll_terms=[name for name, kind in objective.items() if kind == "nll"],
        max_new_tokens=config.sampling.max_new_tokens,
        max_grad_norm=config.training.max_grad_norm,
        inner_epochs=config.training.inner_epochs,
    )


def make_optimizer(config: schema.Config) -> Callable[[Any], Optimizer]:
    """Return a function from a model to its optimiser. Raises ConfigError."""
    given = config.optim
    if len(given.betas) != 2 or not all(0 <= beta < 1 for beta in given.betas):
        raise ConfigError(
            f"optim.betas = {given.betas}: two numbers from 0 to below 1 are needed, "
            "e.g. [0.9, 0.999]"
        )
    not_negative(config, "optim.weight_decay", "optim.eps", "discriminator.cache_mb")
    not_negative(config, "run.sample_every", "run.gradients_every", "training.max_idle_updates")
    above_zero(config, "optim.muon_lr_ratio", "training.max_grad_norm")
    lr = schedule("optim.lr", given.lr, config.training.steps)
    lowest = min(lr(step) for step in range(config.training.steps))
    if lowest < 0:
        raise ConfigError(f"optim.lr falls to {lowest:g}: 0 is the least")
    options = {"betas": given.betas, "eps": given.eps, "weight_decay": given.weight_decay}
    extra = {"muon_lr_ratio": given.muon_lr_ratio} if given.name == "muon" else {}
    return located("optim.name", lambda: optimizers[given.name].bind({**options, **extra}))


def describe(
    config: schema.Config, method: Plan, streams: Mapping[str, Stream[Any]]
) -> dict[str, Any]:
    """Return what a run would do, for --dry-run."""
    return {
        "method": config.method,
        "terms": {t.name: method.weights(0)[t.name] for t in method.terms},
        "data": {name: len(stream.items) for name, stream in streams.items()},
        "steps": config.training.steps,
        "run": config.run.dir,
    }
