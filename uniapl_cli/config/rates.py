"""Checks of an experiment's schedules: what they name, and whether anything names them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from uniapl_cli.config.include import read
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, nearest, unknown
from uniapl_cli.facts import facts
from uniapl_cli.formulas import Formula
from uniapl_cli.monitoring.gradients import measured_terms
from uniapl_cli.monitoring.noise import noisy_terms
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.controller import MACHINE
from uniapl_cli.training.scheduling import formulas_of, reads_of
from uniapl_cli.training.terms import TermOptions

log = logging.getLogger("uniapl")

# Metrics of an update that no term and no source gives.
OF_UPDATES = ("loss", "lr", "grad_norm", "gradients", "noise", "disagreement", "agreement")


def check_schedules(config: Config, method: Path | None, methods: Mapping[str, Path]) -> None:
    """Refuse a schedule that no method uses; log which methods use one that this one does not."""
    for name in config.schedules:
        check_formulas(config, name)
        check_metrics(config, name)
    used = {name for term in config.terms.values() for name in names_in(term)}
    for source in map(config.source, config.with_roots(t.source for t in config.terms.values())):
        formulas = [*source.formulas.values(), *source.conditions.values()]
        used |= {one for formula in formulas for one in formula.names}
    used |= {n for o in config.schedules.values() for f in formulas_of(o).values() for n in f.names}
    used -= set(facts)
    unused = [name for name in config.schedules if name not in used]
    if not unused:
        return
    own = schedule_names([method] if method else [])
    users = {name: schedule_names([path]) for name, path in methods.items()}
    for name in (name for name in unused if name not in own):
        elsewhere = [user for user, theirs in users.items() if name in theirs]
        if not elsewhere:
            known = sorted(used | own | {n for theirs in users.values() for n in theirs})
            raise config.error(
                f"schedules.{name}",
                f"schedules.{name} is in no formula, so it would do nothing",
                f"Known: {', '.join(known)}",
                got=name,
                allowed=known,
                suggestion=nearest(name, known),
            )
        if config.terms:
            log.info("schedules.%s is for %s; it does nothing here", name, ", ".join(elsewhere))


def names_in(term: TermOptions) -> set[str]:
    """Return all names in a term's formulas."""
    formulas = (Formula(term.weight), *term.conditions.values())
    return {name for formula in formulas for name in formula.names}


def schedule_names(paths: Iterable[Path]) -> set[str]:
    """Return the names of the schedules that files hold."""
    return {
        name.value
        for document in read(paths)
        for section, node in document.root.value
        if section.value == "schedules" and isinstance(node.value, list)
        for name, _ in node.value
    }


def check_formulas(config: Config, name: str) -> None:
    """Refuse a schedule's formulas over what is no schedule, or over itself. Raises ConfigError."""
    for option, formula in formulas_of(config.schedules[name]).items():
        key = f"schedules.{name}.{option}"
        with config.blaming(key):
            formula.check(dict.fromkeys(config.schedules, "number"), "schedule")
        seen: set[str] = set()
        waiting = set(formula.names)
        while waiting:
            other = waiting.pop()
            seen.add(other)
            below = (
                formulas_of(config.schedules[other]).values() if other in config.schedules else ()
            )
            waiting |= {n for one in below for n in one.names} - seen
        if name in seen:
            problem = f"'{key}' needs the value of '{name}' itself: {formula.text}"
            raise config.error(key, problem, got=formula.text)


def check_metrics(config: Config, name: str) -> None:
    """Refuse metrics that no run of these terms logs, or no two alike. Raises ConfigError."""
    known = [*OF_UPDATES, *config.schedules, *config.terms]
    known += ["learners"] if config.learners else []
    known += config.with_roots(term.source for term in config.terms.values())
    for option, metric in (reads_of(config.schedules[name]) or {}).items():
        key, first = f"schedules.{name}.{option}", metric.partition("/")[0]
        if first in MACHINE:
            problem = f"'{metric}' is the machine's: a resumed run would measure another"
            raise config.error(key, problem, got=metric)
        if first not in known:
            error = unknown("metric", first, known, ConfigError)
            raise error.at(config.origin(key), key)
        noisy = noisy_terms([metric])
        for term in sorted({*measured_terms([metric]), *noisy}):
            if term not in config.terms:
                error = unknown("term", term, config.terms, ConfigError)
                raise error.at(config.origin(key), key)
            gives = config.source_kind(config.terms[term].source).traits["batch"]
            if term in noisy and gives is not TokenBatch:
                problem = f"'{metric}' needs rows of tokens, and '{term}' has a {gives.__name__}"
                raise config.error(key, problem, got=metric)
