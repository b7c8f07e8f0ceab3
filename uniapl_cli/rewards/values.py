"""What the functions of a reward say of rollouts: numbers, and notes for samples.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
# Of one rollout, as JSON, by the name that samples.jsonl has it under.
Note = Mapping[str, Any]
# One number a rollout, by name: `coef`, a function's value; `coef_r`, what else it logs.
ValuesByFunction = dict[str, list[float]]


@dataclass(frozen=True)
class FunctionValues:
    """One value a rollout; and by name other numbers, one a rollout, to be logged beside them.

    notes: what else samples.jsonl says of each rollout; none, or one a rollout.
    """

    values: list[float]
    logged: Mapping[str, list[float]] = field(default_factory=dict)
    notes: Sequence[Note] = ()


@dataclass(frozen=True)
class Values:
    """The numbers of several functions, and the notes of those that make some, by function."""

    numbers: ValuesByFunction = field(default_factory=dict)
    notes: dict[str, list[Note]] = field(default_factory=dict)

    def joined(self, other: Values) -> Values:
        """Return these and another's, which are of the same rollouts by other functions."""
        return Values({**self.numbers, **other.numbers}, {**self.notes, **other.notes})

    def extend(self, other: Values, indices: Sequence[int] | None = None) -> None:
        """Add another's, of further rollouts by the same functions; of some of them only."""
        _extend(self.numbers, other.numbers, indices)
        _extend(self.notes, other.notes, indices)

    def note(self, index: int) -> dict[str, Any]:
        """Return what is noted of a rollout, by all functions."""
        return {k: v for column in self.notes.values() for k, v in column[index].items()}


def _extend(
    mine: dict[str, list[T]], theirs: Mapping[str, list[T]], indices: Sequence[int] | None
) -> None:
    for name, column in theirs.items():
        kept = column if indices is None else [column[index] for index in indices]
        mine.setdefault(name, []).extend(kept)
