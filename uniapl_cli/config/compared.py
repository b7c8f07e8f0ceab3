"""Checks of references: that there are those that terms name, and that each can be what it says."""

from __future__ import annotations

from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.objectives import objectives
from uniapl_cli.sources import sources
from uniapl_cli.tensors import START
from uniapl_cli.training.references import POLICY

RESERVED = (START, POLICY)


def check_references(config: Config) -> None:
    """Refuse names that are taken, and one that reads for another and is not there."""
    for name, options in config.references.items():
        if name in RESERVED:
            problem = f"'{name}' is always there: choose another name for the reference"
            raise config.error(f"references.{name}", problem, got=name)
        if options.context is None:
            continue
        key = f"references.{name}.of"
        readers = [n for n, other in config.references.items() if other.context is None]
        if options.of not in (*RESERVED, *readers):
            error = unknown("reference", options.of, [*RESERVED, *readers], ConfigError)
            raise error.at(config.origin(key), key)


def check_reference(config: Config, term: str) -> None:
    """Refuse a term whose reference is not there, or needs rollouts that its source has not."""
    options = config.terms[term]
    name = getattr(options.objective, "reference", None)
    if name is None:
        return
    key = f"terms.{term}.objective.reference"
    if name not in (START, *config.references):
        error = unknown("reference", name, [START, *config.references], ConfigError)
        raise error.at(config.origin(key), key)
    shown = None if name == START else config.references[name].context
    objective = objectives.entry(options.objective)
    why = f"objective '{objective.name}' compares a reference with the sampler"
    if shown is not None:
        why = f"reference '{name}' is shown more before it answers as a rollout does"
    sampled = config.source_kind(options.source).traits.get("rewarded")
    if not sampled and (shown is not None or objective.traits.get("corrects")):
        fitting = [kind for kind in sources if sources[kind].traits.get("rewarded")]
        raise config.error(
            config.latest(f"terms.{term}.source", key),
            f"{why}, and source '{options.source}' has no rollouts",
            f"Sources that have: {', '.join(fitting)}",
            got=options.source,
            allowed=fitting,
        )
    judge = getattr(config.source(options.source), "judged_by", None)
    if shown == "right" and judge not in config.rewards:
        error = unknown("reward", str(judge), config.rewards, ConfigError)
        judging = f"sources.{options.source}.judged_by"
        raise error.at(config.origin(judging), judging)
