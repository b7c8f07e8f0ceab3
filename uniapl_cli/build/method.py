"""Schedules, terms and signals of a config to a Plan."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from omegaconf import MISSING

from uniapl_cli.config import schema
from uniapl_cli.errors import ConfigError, UniAPLError, unknown
from uniapl_cli.objectives import advantages, objectives
from uniapl_cli.registry import Entry, conforms
from uniapl_cli.tensors import PairBatch, TokenBatch
from uniapl_cli.training.schedules import Schedule, names_in, schedule, weight
from uniapl_cli.training.scores import scores
from uniapl_cli.training.signals import Signal, Weighted
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.types import Comparison
from uniapl_cli.verifiers import Judge

log = logging.getLogger("uniapl")

ROLLOUT_SOURCES = ("rollouts", "demonstration_rollouts")
NEEDS = ("teacher", "reference", "constraints")
SOURCES = ("demonstrations", *ROLLOUT_SOURCES)


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
    if not method.ever_active(steps):
        raise ConfigError("no term ever has a weight other than 0: nothing to train")
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
    )


def fits(where: str, objective: Entry[Any], source: str) -> None:
    """Refuse an objective over pairs where a source gives tokens, and the other way round."""
    takes = inspect.signature(objective.make, eval_str=True).parameters["batch"].annotation
    gives = PairBatch if source == "comparisons" else TokenBatch
    if takes is not gives:
        raise ConfigError(
            f"{where}: objective '{objective.name}' takes a {takes.__name__}, and source "
            f"'{source}' gives a {gives.__name__}"
        )


def signal(name: str, given: schema.Signal, supplies: Mapping[str, Callable[[], Any]]) -> Signal:
    """Return a signal; `supplies` make what a score may ask for, and only where one does."""
    where = f"signals.{name}"
    parts = []
    for score, options in given.scores.items():
        if options is None:
            continue
        entry = located(where, partial(scores.__getitem__, score))
        params = dict(options)
        share = params.pop("weight", 1.0)
        if not conforms(share, float):
            raise ConfigError(f"{where}: scores.{score}.weight = {share!r}: a number is needed")
        supplied = {key: make() for key, make in supplies.items() if key in entry.parameters}
        score_of = located(where, partial(entry.bind, params, **supplied))
        parts.append(Weighted(score, float(share), score_of))
    if not parts:
        raise ConfigError(f"{where}: no scores; known: {', '.join(scores)}")
    rule = located(where, lambda: advantages[given.advantage])
    return Signal(name, parts, rule.make)


def check_method(config: schema.Config) -> dict[str, Any]:
    """Check the method as far as that goes without data or models; return its terms' weights."""
    if config.training.steps == MISSING:
        config.training.steps = 1
    method = plan(config, (*SOURCES, "comparisons"))
    for name, given in config.signals.items():
        if given is not None:
            signal(name, given, {"discriminator": _NoDiscriminator, "judge": Judge})
    return {"weights at step 1": method.weights(0)}


class _NoDiscriminator:
    """Stands in for a discriminator where only names and parameters are checked."""

    def score(self, comparisons: Sequence[Comparison], *, alone: bool = False) -> list[float]:
        raise AssertionError("checks never score")


def requirements(config: schema.Config, signals: set[str]) -> dict[str, bool]:
    """Return which of NEEDS the scores of these signals have of an example."""
    facts = [
        scores[score].facts
        for name in signals
        for score, options in (config.signals[name] or schema.Signal()).scores.items()
        if options is not None
    ]
    return {need: any(f.get(need) for f in facts) for need in NEEDS}


def located(where: str, action: Callable[[], Any]) -> Any:
    """Run `action`; put the config key in front of what it complains about."""
    try:
        return action()
    except UniAPLError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(where) else f"{where}: {text}") from None
