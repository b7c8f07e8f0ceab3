"""The signals of a config: what rollouts are judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from uniapl_cli.build.choices import choice, located
from uniapl_cli.config import schema
from uniapl_cli.errors import ConfigError
from uniapl_cli.objectives import advantages
from uniapl_cli.registry import Entry, conforms
from uniapl_cli.training.scores import scores
from uniapl_cli.training.signals import Signal, Weighted
from uniapl_cli.training.terms import Term

# What a score may need of an example.
NEEDS = ("teacher", "reference", "constraints")

Supplies = Mapping[str, Callable[[], Any]]


def signal(name: str, given: schema.Signal, supplies: Supplies) -> Signal:
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
    rule, its = choice(f"{where}.advantage", given.advantage, advantages)
    if given.zero_variance != "keep" and not rule.facts.get("contrast"):
        raise ConfigError(
            f"{where}: zero_variance: {given.zero_variance} with advantage '{rule.name}', to which "
            "equal values are worth something: use keep, or an advantage within the group"
        )
    advantage = located(f"{where}.advantage", lambda: rule.bind(its))
    return Signal(name, parts, advantage, given.zero_variance)


def check_signals(config: schema.Config, terms: Sequence[Term]) -> None:
    """Refuse signals that could never teach the terms anything. Raises ConfigError."""
    training = config.training
    samples = {
        "rollouts": ("training.samples", training.samples),
        "demonstration_rollouts": (
            "training.demonstration_samples",
            training.demonstration_samples,
        ),
    }
    objectives = {name: made.objective for name, made in config.terms.items() if made is not None}
    divergence = any(objectives[term.name] == "kl" for term in terms)
    for term in terms:
        if term.signal is None:
            continue
        given = config.signals[term.signal] or schema.Signal()
        where = f"terms.{term.name}, signals.{term.signal}"
        rule = rule_of(config, term.signal)
        key, count = samples[term.source]
        if rule.facts.get("contrast") and count < 2:
            raise ConfigError(
                f"{where}: advantage '{rule.name}' holds a prompt's rollouts against each other, "
                f"and there is one: it would always be 0. Set {key}=2 or more"
            )
        if given.zero_variance == "resample" and term.source != "rollouts":
            raise ConfigError(
                f"{where}: zero_variance: resample would take other prompts than the "
                "demonstrations' own: use keep or drop here"
            )
        if "kl" in scores_of(given) and divergence:
            raise ConfigError(
                f"{where}: the divergence from the reference would count twice, in the reward and "
                "as a term: remove scores.kl, or the term (terms.kl=null)"
            )


def rule_of(config: schema.Config, signal: str) -> Entry[Any]:
    """Return the rule that makes a signal's values advantages."""
    given = config.signals[signal] or schema.Signal()
    return choice(f"signals.{signal}.advantage", given.advantage, advantages)[0]


def scores_of(given: schema.Signal) -> list[str]:
    """Return the names of a signal's scores."""
    return [name for name, options in given.scores.items() if options is not None]


def facts_of(config: schema.Config, signals: set[str]) -> list[Mapping[str, Any]]:
    """Return the facts of these signals' scores."""
    return [
        scores[score].facts
        for name in signals
        for score in scores_of(config.signals[name] or schema.Signal())
    ]


def requirements(config: schema.Config, signals: set[str]) -> dict[str, bool]:
    """Return which of NEEDS the scores of these signals have of an example."""
    facts = facts_of(config, signals)
    return {need: any(f.get(need) for f in facts) for need in NEEDS}
