"""A data set's rows as examples, read when they are asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from uniapl_cli.data.columns import Build
from uniapl_cli.data.detect import detect
from uniapl_cli.data.layouts import Layout, layouts
from uniapl_cli.data.rows import BadRow, Rows, open_rows
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example


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


def layout_of(rows: Rows, layout: str) -> str:
    """Return the layout's name; "auto" is what the first good row has the columns of."""
    if not len(rows):
        raise DataError(f"'{rows.name}' has no rows")
    if layout != "auto":
        return layouts[layout].name
    first = next((row for row in rows.attempts() if isinstance(row, Row)), None)
    return detect(rows[0] if first is None else first)


def read_examples(name: str | Path, layout: str, build: Build) -> Iterator[Example]:
    """Yield a data set's examples, lazily. Raises DataError at the first bad row."""
    rows = open_rows(str(name))
    read = layouts[layout_of(rows, layout)].make
    return (read(row, build) for row in rows)


def attempt(row: Row | BadRow, read: Layout, build: Build) -> Example | BadRow:
    """Return a row as an example, or what is wrong with it."""
    if isinstance(row, BadRow):
        return row
    try:
        return read(row, build)
    except DataError as error:
        return BadRow(row.values, str(error))


class Tolerance:
    """Collects bad rows, up to so many; one more raises DataError with its reason."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bad: list[BadRow] = []

    def take(self, found: BadRow) -> None:
        """Take note of a bad row."""
        self.bad.append(found)
        if len(self.bad) > self.limit:
            more = f" ({len(self.bad)} bad rows, data.tolerance is {self.limit})"
            raise DataError(found.reason + (more if self.limit else ""))

    def rows(self) -> list[dict[str, Any]]:
        """Return the bad rows for a file of their own."""
        return [{"reason": bad.reason, "row": bad.content} for bad in self.bad]


def check(rows: Rows, read: Layout, build: Build, tolerance: Tolerance) -> Examples:
    """Read every row once and return those that fit, as a lazy sequence."""
    places = array("L")
    for place, row in enumerate(rows.attempts()):
        found = attempt(row, read, build)
        if isinstance(found, BadRow):
            tolerance.take(found)
        else:
            places.append(place)
    return Examples(rows, read, build, places)
