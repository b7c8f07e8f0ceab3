"""Which rewards a term needs."""

from __future__ import annotations

from uniapl_cli.config.schema import Config
from uniapl_cli.facts import facts
from uniapl_cli.sources.known import needs_judging
from uniapl_cli.training.terms import Term


def rewards_of(config: Config, term: Term) -> list[str]:
    """Return the rewards that a term needs: its own, and the one that decides what is right."""
    own = [] if term.reward is None else [term.reward]
    root = config.source(config.root(term.source))
    judged_by, judges = getattr(root, "judged_by", None), getattr(root, "judges", False)
    conditions = config.source(term.source).conditions.values()
    names = term.facts.union(*(one.names & set(facts) for one in conditions))
    judged = [judged_by] if judged_by and (judges or needs_judging(names)) else []
    return list(dict.fromkeys([*own, *judged]))
