"""A data set's rows as examples, read when they are asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from uniapl_cli.data.layouts import Build, Layout
from uniapl_cli.data.rows import Rows
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example


@dataclass(frozen=True)
class BadRow:
    """A row that fits no layout, and why; `reason` starts with `file:line`."""

    row: Row | None
    reason: str


class Examples(Sequence[Example]):
    """Examples by place; in memory is a position each."""

    def __init__(self, rows: Rows, read: Layout, build: Build, places: Iterable[int]) -> None:
        self.rows, self.make, self.build = rows, read, build
        self.places = array("L", places)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> Examples: ...
    def __getitem__(self, place: int | slice) -> Example | Examples:
        """Read an example, or take a part of them."""
        if isinstance(place, slice):
            return self.select(range(len(self))[place])
        return self.make(self.rows[self.places[place]], self.build)

    def __len__(self) -> int:
        return len(self.places)

    def select(self, kept: Iterable[int]) -> Examples:
        """Return the examples at some of the places."""
        return Examples(self.rows, self.make, self.build, (self.places[place] for place in kept))


def attempts(rows: Rows, read: Layout, build: Build) -> Iterator[Example | BadRow]:
    """Yield each row as an example, or what is wrong with it."""
    for place in range(len(rows)):
        row = None
        try:
            row = rows[place]
            yield read(row, build)
        except DataError as error:
            yield BadRow(row, str(error))


def check(
    rows: Rows, read: Layout, build: Build, *, tolerance: int, bad: Callable[[BadRow], None]
) -> Examples:
    """Read every row once and return those that fit, as a lazy sequence.

    Up to `tolerance` bad rows are handed to `bad`; one more raises DataError with its reason.
    """
    places, wrong = array("L"), 0
    for place, found in enumerate(attempts(rows, read, build)):
        if isinstance(found, BadRow):
            wrong += 1
            if wrong > tolerance:
                more = f" ({wrong} bad rows; data.tolerance is {tolerance})" if tolerance else ""
                raise DataError(found.reason + more)
            bad(found)
        else:
            places.append(place)
    return Examples(rows, read, build, places)
