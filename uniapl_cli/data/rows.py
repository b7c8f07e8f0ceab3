"""Data sets as sequences of rows: by index, each with its origin."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uniapl_cli.data.indexed import Indexed
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row


@dataclass(frozen=True, slots=True)
class BadRow:
    """As much of a row as could be read, and the error."""

    content: object
    error: DataError


class Rows(Indexed[Row]):
    """Rows by index. The `origin` of each is `file:line`, or `name:[index]` if it has no lines."""

    name: str

    def content(self, index: int) -> object:
        """Return as much of a row as there is, if `read` fails."""
        return None

    def attempt(self, index: int) -> Row | BadRow:
        """Read the row at an index, or return it as a bad row."""
        try:
            return self.read(index)
        except DataError as error:
            return BadRow(self.content(index), error)

    def attempts(self) -> Iterator[Row | BadRow]:
        """Yield every row, good or bad."""
        return map(self.attempt, range(len(self)))

    def __len__(self) -> int:
        raise NotImplementedError


class Shards(Rows):
    """The rows of several files, one after the other; each row's origin is in its own file."""

    def __init__(self, name: str, parts: Sequence[Rows]) -> None:
        self.name, self.parts = name, parts
        self.starts = array("Q")
        self.total = 0
        for part in parts:
            self.starts.append(self.total)
            self.total += len(part)

    def _part(self, index: int) -> tuple[Rows, int]:
        """Return the file that a row is in, and its index there."""
        number = bisect_right(self.starts, index) - 1
        return self.parts[number], index - self.starts[number]

    def read(self, index: int) -> Row:
        """Read a row of one of the files."""
        part, own = self._part(index)
        return part.read(own)

    def content(self, index: int) -> object:
        """Return as much of a row as its file has."""
        part, own = self._part(index)
        return part.content(own)

    def __len__(self) -> int:
        return self.total
