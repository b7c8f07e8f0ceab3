"""What some verifiers need and may lack: an optional package, or data of nltk's."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from uniapl_cli.errors import UniAPLError
from uniapl_cli.types import Constraint, Verdict
from uniapl_cli.verifiers.registry import verifiers

# Brings every package that a grader needs.
INSTALL = "pip install 'uniapl[eval]'"


class NotGraded(UniAPLError):
    """An instruction cannot be judged here, whatever the response: its verifier lacks something."""


@dataclass(frozen=True)
class Need:
    """The trait `needs` of a verifier: what it is called, whether it is here, and how to get it."""

    what: str
    found: Callable[[], bool]
    advice: str


def package(name: str) -> Need:
    """Return the need of an optional package."""
    return Need(f"the package '{name}'", lambda: installed(name), f"Type: {INSTALL}")


def data(name: str, found: Callable[[], bool]) -> Need:
    """Return the need of data of nltk's that `found` looks for."""
    return Need(f"nltk's {name}", found, "Download it with uniapl setup nltk")


def lacking(id: str) -> NotGraded | None:
    """Return why an instruction cannot be judged here, or None if it can."""
    need: Need | None = verifiers[id].traits.get("needs")
    if need is None or need.found():
        return None
    problem = f"instruction '{id}' cannot be judged: {need.what} is not here"
    return NotGraded(problem, need.advice, key=id)


def judgeable(constraints: Sequence[Constraint], verdict: Verdict) -> Verdict:
    """Return a verdict without those of the constraints that cannot be judged here."""
    gone = {at for at, constraint in enumerate(constraints) if lacking(constraint.id) is not None}

    def left(followed: tuple[bool, ...]) -> tuple[bool, ...]:
        return tuple(one for at, one in enumerate(followed) if at not in gone)

    return Verdict(left(verdict.strict), left(verdict.loose))


@cache
def installed(name: str) -> bool:
    """Whether a package can be imported; it is not."""
    return importlib.util.find_spec(name) is not None
