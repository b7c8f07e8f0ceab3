"""The updates of a step: which terms each is made of, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveFloat

from uniapl_cli.errors import ConfigError
from uniapl_cli.options import Options, key
from uniapl_cli.training.terms import Term

Names = Annotated[list[str], Field(min_length=1)]


class UpdateOptions(Options):
    """One of the updates that a step makes, each from the gradient of some terms."""

    terms: Names = key([], "the terms whose gradient it follows, each of one update only")
    max_grad_norm: PositiveFloat | None = key(
        None, "its gradient is scaled down to this norm; null: training.max_grad_norm"
    )
    own_moments: bool = key(
        False, "with moments of its own, rather than those of the other updates (ReLIFT)"
    )


@dataclass(frozen=True)
class Update:
    """One update of a step. others: the names of the terms that it leaves to other updates.

    moments: the name of the optimiser's moments that it has, "" for those of all the others.
    """

    name: str = ""
    max_grad_norm: float = 1.0
    others: frozenset[str] = frozenset()
    moments: str = ""

    def of(self, terms: Sequence[Term]) -> list[Term]:
        """Return those of some terms that it is made of."""
        return [term for term in terms if term.name not in self.others]


def make_updates(
    options: Mapping[str, UpdateOptions], terms: Sequence[str], max_grad_norm: float
) -> list[Update]:
    """Return the updates of a step, in the order of `options`; without any, one of all terms.

    Terms that none names are in the first one. Raises ConfigError for a term of two.
    """
    if not options:
        return [Update(max_grad_norm=max_grad_norm)]
    owner: dict[str, str] = {}
    for name, own in options.items():
        for term in own.terms:
            if owner.setdefault(term, name) != name:
                problem = f"term '{term}' is in '{owner[term]}' and in '{name}': one update has it"
                raise ConfigError(problem, got=term)
    first = next(iter(options))
    return [
        Update(
            name,
            own.max_grad_norm or max_grad_norm,
            frozenset(term for term in terms if owner.get(term, first) != name),
            name if own.own_moments else "",
        )
        for name, own in options.items()
    ]
