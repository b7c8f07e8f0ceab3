"""Schedules and terms of a config to a Plan."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from omegaconf import MISSING

from uniapl_cli.build.choices import choice, located
from uniapl_cli.build.signals import check_signals, signal
from uniapl_cli.config import schema
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.objectives.reductions import Reduction
from uniapl_cli.registry import Entry
from uniapl_cli.tensors import ChoiceBatch, LabelledBatch, PairBatch, TokenBatch
from uniapl_cli.training.schedules import Schedule, names_in, schedule, weight
from uniapl_cli.training.terms import Plan, Term

log = logging.getLogger("uniapl")

ROLLOUT_SOURCES = ("rollouts", "demonstration_rollouts")
# What each source gives.
BATCHES = {
    "demonstrations": TokenBatch,
    "rollouts": TokenBatch,
    "demonstration_rollouts": TokenBatch,
    "choices": ChoiceBatch,
    "labels": LabelledBatch,
    "comparisons": PairBatch,
}
SOURCES = tuple(name for name in BATCHES if name != "comparisons")


def plan(config: schema.Config, sources: tuple[str, ...] = SOURCES) -> Plan:
    """Return the method that the config's terms and schedules make. Raises ConfigError."""
    steps = config.training.steps
    made = {
        name: schedule(f"schedules.{name}", given, steps)
        for name, given in config.schedules.items()
        if given is not None
    }
    terms = [
        term(name, given, config, made, sources)
        for name, given in config.terms.items()
        if given is not None
    ]
    if not terms:
        raise ConfigError("no terms: nothing to train. Choose a method: uniapl train sft|grpo|...")
    used = {name for given in config.terms.values() if given for name in names_in(given.weight)}
    for name in made:
        if name not in used:
            log.warning("schedules.%s is in no term's weight, so it does nothing", name)
    method = Plan(terms, made)
    if not (active := method.ever_active(steps)):
        raise ConfigError("no term ever has a weight other than 0: nothing to train")
    check_signals(config, active)
    return method


def term(
    name: str,
    given: schema.Term,
    config: schema.Config,
    schedules: dict[str, Schedule],
    sources: tuple[str, ...],
) -> Term:
    """Return one term, its names and parameters checked."""
    where = f"terms.{name}"
    entry = located(where, lambda: objectives[given.objective])
    if given.source not in sources:
        raise ConfigError(f"{where}: {unknown('source', given.source, sources)}")
    fits(where, entry, given.source)
    objective = located(where, lambda: entry.bind(given.params))
    signal = given.params.get("signal")
    if signal is not None and config.signals.get(signal) is None:
        raise ConfigError(f"{where}: {unknown('signal', signal, config.signals)}")
    if signal is not None and given.source not in ROLLOUT_SOURCES:
        raise ConfigError(
            f"{where}: a signal judges rollouts, and source '{given.source}' has none; "
            f"use {' or '.join(ROLLOUT_SOURCES)}"
        )
    return Term(
        name,
        given.source,
        weight(name, given.weight, schedules),
        objective,
        signal,
        bool(entry.facts.get("reference")),
        reduction(where, given, config),
    )


def fits(where: str, objective: Entry[Any], source: str) -> None:
    """Refuse an objective over one kind of batch where a source gives another."""
    takes = inspect.signature(objective.make, eval_str=True).parameters["batch"].annotation
    if takes is not BATCHES[source]:
        fitting = [name for name, gives in BATCHES.items() if gives is takes]
        raise ConfigError(
            f"{where}: objective '{objective.name}' takes a {takes.__name__}, and source "
            f"'{source}' gives a {BATCHES[source].__name__}; use {' or '.join(fitting)}"
        )


def reduction(where: str, given: schema.Term, config: schema.Config) -> Reduction:
    """Return how a term's losses become one number."""
    where = f"{where}.reduction"
    entry, options = choice(where, given.reduction, reductions)
    if entry.name != "token" and BATCHES[given.source] is not TokenBatch:
        raise ConfigError(
            f"{where}: '{entry.name}' reduces the losses of tokens, and objective "
            f"'{given.objective}' has one loss a row: leave it out"
        )
    if "length" in entry.parameters:
        rollouts = given.source in ROLLOUT_SOURCES
        longest = config.sampling.max_new_tokens if rollouts else config.data.max_response_tokens
        options = {"length": longest, **options}
    if given.params.get("importance_sampling_level") == "sequence" and entry.name != "sequence":
        log.warning(
            "%s: '%s' weighs a response by its length, and with importance_sampling_level: "
            "sequence all its tokens have one ratio; GSPO takes sequence",
            where,
            entry.name,
        )
    return located(where, lambda: entry.bind(options))


def check_method(config: schema.Config) -> dict[str, Any]:
    """Check the method as far as that goes without data or models; return its terms' weights."""
    if config.training.steps == MISSING:
        config.training.steps = 1
    method = plan(config, tuple(BATCHES))
    for name, given in config.signals.items():
        if given is not None:
            signal(name, given, dict.fromkeys(SUPPLIED, object))
    return {"weights at step 1": method.weights(0)}


# What the program hands to scores that ask for it; a check needs none of it.
SUPPLIED = ("discriminator", "judge", "reference", "max_new_tokens")
