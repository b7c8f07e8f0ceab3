"""Reads a data set's rows as examples; each row is parsed once, and bad rows are collected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from uniapl_cli.data.collector import paused
from uniapl_cli.data.columns import Build
from uniapl_cli.data.detect import EACH
from uniapl_cli.data.layouts import layouts
from uniapl_cli.data.reader import RowReader
from uniapl_cli.data.rows import BadRow, Rows
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.runs.console import Bar
from uniapl_cli.types import Example


class BadRows:
    """Collects bad rows; the first beyond `limit` raises its DataError."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows: list[BadRow] = []

    def add(self, row: BadRow) -> None:
        """Take a bad row. Raises its DataError if there are more than `limit`."""
        self.rows.append(row)
        if len(self.rows) > self.limit:
            if self.limit:
                row.error.problem += f" ({len(self.rows)} bad rows, data.tolerance is {self.limit})"
            raise row.error

    def none_good(self, name: str) -> DataError:
        """Return the error that all rows of a data set, the last one read, are bad."""
        reason = f"; of the last one: {self.rows[-1].error}" if self.rows else ""
        return DataError(f"'{name}' has no good rows{reason}", got=name)

    def as_rows(self) -> list[dict[str, Any]]:
        """Return the bad rows for a file of their own."""
        return [{"reason": str(row.error), "row": row.content} for row in self.rows]


def row_reader(rows: Rows, layout: str, ignore: Sequence[str] = ()) -> RowReader:
    """Return the reader of a data set's rows; "auto" is the layout of the first good row,
    "each" every row's own.

    Raises DataError for a data set without rows, and for columns that fit no layout.
    """
    _refuse_empty(rows)
    if layout != "auto":
        return RowReader(_known(layout), tuple(ignore))
    first = next((row for row in rows.attempts() if isinstance(row, Row)), None)
    return RowReader(layout, tuple(ignore)).detected(rows[0] if first is None else first)


@paused()
def read_examples(
    rows: Rows,
    layout: str,
    build: Build,
    bad: BadRows,
    progress: Bar | None = None,
    *,
    ignore: Sequence[str] = (),
    learnt: bool = False,
    every_turn: bool = False,
) -> list[Example]:
    """Read a data set in one pass; `bad` collects the bad rows.

    The layout "auto" is that of the first row that can be parsed; rows of another are bad rows.
    With "each" every row is read by its own columns. `ignore` names columns and fields of turns
    that are left out. Where responses are `learnt`, an empty one is a bad row. With `every_turn`
    each assistant's turn is an example. Raises DataError: for one bad row more than tolerated, for
    a data set without rows, for columns that fit no layout.
    """
    examples: list[Example] = []
    reader = ExampleReader(layout, build, ignore=ignore, learnt=learnt, every_turn=every_turn)
    for _, read in reader.good(rows, bad, progress):
        examples += read
    return examples


class ExampleReader:
    """Reads rows one after the other; the layout "auto" is that of the first that can be parsed."""

    def __init__(
        self,
        layout: str,
        build: Build,
        *,
        ignore: Sequence[str] = (),
        learnt: bool = False,
        every_turn: bool = False,
    ) -> None:
        self.build, self.every_turn = build, every_turn
        self.detects = layout == "auto"
        self.reader = RowReader(_known(layout), tuple(ignore), learnt)

    def good(
        self, rows: Rows, bad: BadRows, progress: Bar | None = None
    ) -> Iterator[tuple[Row, list[Example]]]:
        """Yield the good rows with their examples. Raises DataError, also if there are no rows."""
        _refuse_empty(rows)
        for row in rows.attempts():
            read = self.read(row)
            if isinstance(read, BadRow):
                bad.add(read)
            elif isinstance(row, Row):
                yield row, read
            if progress is not None:
                progress.advance()

    def read(self, row: Row | BadRow) -> list[Example] | BadRow:
        """Return the examples of a row, or a bad row with its error."""
        if isinstance(row, BadRow):
            return row
        if self.detects:
            self.detects, self.reader = False, self.reader.detected(row)
        if self.every_turn:
            return self.reader.read_every_turn(row, self.build)
        example = self.reader.read(row, self.build)
        return example if isinstance(example, BadRow) else [example]


def _known(layout: str) -> str:
    """Return a layout's name; "auto" and "each" are no layouts, and stand for some."""
    return layout if layout in ("auto", EACH) else layouts[layout].name


def _refuse_empty(rows: Rows) -> None:
    if not len(rows):
        raise DataError(f"'{rows.name}' has no rows", got=rows.name)
