"""Checks that an experiment's sections fit together: names they share, kinds of batches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from uniapl_cli.config.compared import check_reference, check_references
from uniapl_cli.config.rates import check_schedules
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.facts import EVERY, facts, kinds, named
from uniapl_cli.formulas import Formula, Kind
from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.objectives.objective import batch_type
from uniapl_cli.sources import sources
from uniapl_cli.sources.known import needs_judging
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.terms import TermOptions

POLAR = "polar"


def check(config: Config, method: Path | None, methods: Mapping[str, Path]) -> None:
    """Check every term against what it names, and every schedule's use. Raises ConfigError.

    `method` is the method's own file, `methods` are the packaged ones.
    """
    for name, term in config.terms.items():
        config.require(f"terms.{name}")
        check_source(config, name, term)
        check_objective(config, name, term)
        check_formulas(config, name, term)
        check_reference(config, name)
    check_references(config)
    for name in config.with_roots(sources_of(config)):
        check_source_formulas(config, name)
    check_schedules(config, method, methods)


def check_root(config: Config, name: str, known: Collection[str]) -> None:
    """Refuse a source that takes from one which is not there, or samples nothing itself."""
    key, of = f"sources.{name}.of", getattr(config.source(name), "of", None)
    if of is None:
        return
    if of not in known:
        raise _at(config, key, unknown("source", of, known, ConfigError))
    fitting = [one for one in known if sampling(config, one)]
    if of not in fitting:
        problem = f"'{key}' is '{of}', which samples nothing itself"
        advice = f"Sources that do: {', '.join(sorted(fitting))}"
        raise config.error(key, problem, advice, got=of, allowed=fitting)
    facts_of = known_facts(config, of, "rows")
    schedules: dict[str, Kind] = dict.fromkeys(config.schedules, "number")
    for part, formula in config.source(name).conditions.items():
        with config.blaming(f"sources.{name}.{part}"):
            formula.check({**schedules, **kinds(facts_of)}, "fact or schedule")
        check_judging(config, of, formula)


def sampling(config: Config, name: str) -> bool:
    """Whether a source samples the policy itself."""
    source = config.source(name)
    return hasattr(source, "num_generations") and config.root(name) == name


def sources_of(config: Config) -> list[str]:
    """Return the sources of the terms."""
    return list(dict.fromkeys(term.source for term in config.terms.values()))


def check_source_formulas(config: Config, name: str) -> None:
    """Refuse names in a source's formulas that are no schedules, and a judge that is no reward."""
    schedules: dict[str, Kind] = dict.fromkeys(config.schedules, "number")
    for part, formula in config.source(name).formulas.items():
        with config.blaming(f"sources.{name}.{part}"):
            formula.check(schedules, "schedule")
    reward = getattr(config.source(name), "judged_by", None)
    if getattr(config.source(name), "judges", False) and reward not in config.rewards:
        error = unknown("reward", str(reward), config.rewards, ConfigError)
        raise _at(config, f"sources.{name}.judged_by", error)


def check_source(config: Config, name: str, term: TermOptions) -> None:
    """Refuse an unknown source, and one that belongs to another verb."""
    key = f"terms.{name}.source"
    known = {*config.sources, *sources}
    if config.method != POLAR:
        known -= {n for n in known if n in sources and sources[n].traits.get("verb")}
    if term.source not in known:
        raise _at(config, key, unknown("source", term.source, known, ConfigError))
    check_root(config, term.source, known)


def check_objective(config: Config, name: str, term: TermOptions) -> None:
    """Refuse an objective, a reward or a reduction that does not fit the source's batches."""
    objective = objectives.entry(term.objective)
    key = config.latest(f"terms.{name}.source", f"terms.{name}.objective")
    gives = config.source_kind(term.source).traits["batch"]
    takes = batch_type(objective)
    if takes is not gives:
        fitting = [kind for kind in sources if sources[kind].traits["batch"] is takes]
        raise config.error(
            key,
            f"objective '{objective.name}' takes a {takes.__name__}, and source '{term.source}' "
            f"gives a {gives.__name__}",
            f"A {takes.__name__} is what these give: {', '.join(fitting)}",
            got=objective.name,
            allowed=fitting,
        )
    if (reward := getattr(term.objective, "reward", None)) is not None:
        check_reward(config, name, reward, term.source)
    reduction = reductions.entry(term.reduction).name
    if reduction != "token" and gives is not TokenBatch:
        raise config.error(
            f"terms.{name}.reduction",
            f"'{reduction}' reduces the losses of tokens, and objective '{objective.name}' has one "
            "loss a row",
            f"Leave terms.{name}.reduction out",
            got=reduction,
        )


def check_reward(config: Config, name: str, reward: str, source: str) -> None:
    """Refuse an unknown reward, and a reward for a source that gives no rollouts."""
    named = f"terms.{name}.objective.reward"
    if reward not in config.rewards:
        raise _at(config, named, unknown("reward", reward, config.rewards, ConfigError))
    key = config.latest(f"terms.{name}.source", named)
    if not config.source_kind(source).traits.get("rewarded"):
        fitting = [kind for kind in sources if sources[kind].traits.get("rewarded")]
        raise config.error(
            key,
            f"a reward judges rollouts, and source '{source}' has none",
            f"Sources that have: {', '.join(fitting)}",
            got=source,
            allowed=fitting,
        )


def check_formulas(config: Config, name: str, term: TermOptions) -> None:
    """Refuse names in a term's formulas that are neither schedules nor facts of its source."""
    schedules: dict[str, Kind] = dict.fromkeys(config.schedules, "number")
    for schedule in schedules.keys() & set(facts):
        problem = f"'{schedule}' is the name of a fact: choose another one for the schedule"
        raise config.error(f"schedules.{schedule}", problem, got=schedule)
    with config.blaming(f"terms.{name}.weight"):
        Formula(term.weight).check(schedules, "schedule")
    for part, formula in term.conditions.items():
        with config.blaming(f"terms.{name}.{part}"):
            usable = fact_names(config, term, part)
            for fact in (one for one in sorted(formula.names) if one in facts):
                if fact not in usable:
                    raise misplaced(fact, term, usable)
            formula.check({**schedules, **kinds(usable)}, "fact or schedule")
    for formula in term.conditions.values():
        check_judging(config, term.source, formula)


def check_judging(config: Config, source: str, formula: Formula) -> None:
    """Refuse a condition on what is right where no reward of that name decides it."""
    reward = getattr(config.source(source), "judged_by", None)
    if needs_judging([n for n in formula.names if n in facts]) and reward not in config.rewards:
        error = unknown("reward", str(reward), config.rewards, ConfigError)
        raise _at(config, f"sources.{source}.judged_by", error)


def misplaced(fact: str, term: TermOptions, usable: Sequence[str]) -> ConfigError:
    """Return the error that a fact is not known where a term names it."""
    traits = facts[fact].traits
    place = f"source '{term.source}' does not know it"
    if not usable:
        place = f"source '{term.source}' knows no facts"
    elif traits["when"] == "pass":
        place = "it changes with each update: only `scale` can name it"
    elif traits["level"] == "token":
        place = "it is of tokens, not of rows: name it in `tokens` or `scale`"
    known = f"Known here: {', '.join(usable) or '(none)'}"
    return ConfigError(f"fact '{fact}': {place}", known, got=fact, allowed=usable)


def fact_names(config: Config, term: TermOptions, part: str) -> list[str]:
    """Return the facts that a part of a term may name.

    rows: those of rows; tokens: also those of tokens, all known before the pass; scale: any.
    """
    return known_facts(config, term.source, part)


def known_facts(config: Config, source: str, part: str) -> list[str]:
    """Return the facts of a source's batches that a part of a formula may name."""
    if config.source_kind(source).traits["batch"] is not TokenBatch:
        return []
    drawn = config.source_kind(source).traits.get("facts", ())
    drawn = named(when="drawn") if drawn == EVERY else drawn
    known = [name for name in facts if facts[name].traits["when"] != "drawn" or name in drawn]
    if not config.source_kind(source).traits.get("rewarded"):
        known = [name for name in known if not facts[name].traits.get("sampled")]
    if part == "scale":
        return known
    known = [name for name in known if facts[name].traits["when"] != "pass"]
    return [n for n in known if part == "tokens" or facts[n].traits["level"] == "row"]


def _at(config: Config, key: str, error: ConfigError) -> ConfigError:
    return error.at(config.origin(key), key)
