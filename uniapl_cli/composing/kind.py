"""An instruction as prompts have it: how its arguments are drawn, worded, and what they ask for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uniapl_cli.verifiers.registry import Relation

Kwargs = Mapping[str, Any]

# How a lower and an upper bound are said.
BOUNDS: Mapping[Relation, tuple[str, ...]] = {
    "at least": ("at least {}", "no fewer than {}", "a minimum of {}"),
    "less than": ("fewer than {}", "less than {}", "under {}"),
}


class Unfit(Exception):
    """The question leaves nothing to draw from."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a response that follows an instruction has, whatever else it has.

    words: those that it takes up; of the whole response, `least` and `most` words. texts: they
    occur, in any case. bans, shuns: characters and words that do not. letters, capitals: what some
    letters, and words in capitals, stay below. claims: what only one instruction of a row may
    decide, such as the start.
    """

    words: int = 0
    least: int = 0
    most: int | None = None
    texts: tuple[str, ...] = ()
    bans: str = ""
    shuns: tuple[str, ...] = ()
    letters: Mapping[str, int] = field(default_factory=dict)
    capitals: int | None = None
    claims: tuple[str, ...] = ()


class Deck:
    """Draws the arguments of one row: no word twice, and none that its question has."""

    def __init__(self, rng: random.Random, question: str) -> None:
        self.rng, self.question = rng, question
        self._drawn: list[str] = []

    def number(self, low: int, high: int, step: int = 1) -> int:
        """Draw one of low, low + step, ... high."""
        return self.rng.randrange(low, high + 1, step)

    def one(self, choices: Sequence[Any]) -> Any:
        """Draw one of these."""
        return self.rng.choice(choices)

    def words(self, pool: Sequence[str], count: int = 1) -> list[str]:
        """Draw different words that neither the question nor another argument has. Raises Unfit."""
        said = self.question.lower()
        free = [word for word in pool if word not in self._drawn and word.lower() not in said]
        if len(free) < count:
            raise Unfit
        drawn = self.rng.sample(free, count)
        self._drawn += drawn
        return drawn

    def word(self, pool: Sequence[str]) -> str:
        """Draw one such word. Raises Unfit."""
        return self.words(pool)[0]

    def bound(self, count: str, relation: str, least: range, less: range) -> dict[str, Any]:
        """Draw a relation and a number that suits it, as the kwargs of these names."""
        drawn = self.one(("at least", "less than"))
        return {count: self.one(least if drawn == "at least" else less), relation: drawn}


def nothing(deck: Deck) -> dict[str, Any]:
    """Draw no argument."""
    return {}


def any_question(question: str) -> bool:
    """Whether an instruction goes with a question: with each."""
    return True


@dataclass(frozen=True, slots=True)
class Kind:
    """An instruction: its id, its wordings, how its kwargs are drawn, what these ask for.

    A wording names the kwargs; `{bound}` is the relation with its number. `fits` says which
    questions it goes with. above: it speaks of the question as what stands above it. names: of
    kwargs that are codes, what wordings write instead.
    """

    id: str
    wordings: tuple[str, ...]
    draw: Callable[[Deck], dict[str, Any]] = nothing
    need: Callable[[Kwargs], Need] = lambda kwargs: Need()
    fits: Callable[[str], bool] = any_question
    above: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def word(self, kwargs: Kwargs, rng: random.Random) -> str:
        """Put the instruction into words, in one of its ways."""
        return rng.choice(self.all_wordings(kwargs))

    def all_wordings(self, kwargs: Kwargs) -> list[str]:
        """Return every way to say it with these kwargs."""
        said = {name: self.names.get(str(value)) or _said(value) for name, value in kwargs.items()}
        relation = next((v for n, v in kwargs.items() if n.endswith("relation")), None)
        if relation is None:
            return [wording.format(**said) for wording in self.wordings]
        number = next(str(v) for v in kwargs.values() if isinstance(v, int))
        bounds = [bound.format(number) for bound in BOUNDS[relation]]
        return [w.format(**said, bound=bound) for w in self.wordings for bound in bounds]


def constant(**fields: Any) -> Callable[[Kwargs], Need]:
    """Return a need that no kwarg decides."""
    need = Need(**fields)
    return lambda kwargs: need


def _said(value: Any) -> str:
    """Return a kwarg as a wording has it: texts in quotation marks, several of them listed."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        *others, last = map(_said, value)
        return f"{', '.join(others)} and {last}" if others else last
    return str(value)
