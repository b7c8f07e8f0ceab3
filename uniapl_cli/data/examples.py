"""Reads a data set's rows as examples; each row is parsed once, and bad rows are collected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from uniapl_cli.data.collector import paused
from uniapl_cli.data.columns import Build, finished
from uniapl_cli.data.detect import detect
from uniapl_cli.data.layouts.layout import Layout, layouts
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

    def as_rows(self) -> list[dict[str, Any]]:
        """Return the bad rows for a file of their own."""
        return [{"reason": str(row.error), "row": row.content} for row in self.rows]


def layout_of(rows: Rows, layout: str) -> str:
    """Return the layout's name; "auto" is detected from the columns of the first good row."""
    _refuse_empty(rows)
    if layout != "auto":
        return layouts[layout].name
    first = next((row for row in rows.attempts() if isinstance(row, Row)), None)
    return detect(rows[0] if first is None else first)


@paused()
def read_examples(
    rows: Rows, layout: str, build: Build, bad: BadRows, progress: Bar | None = None
) -> list[Example]:
    """Read a data set in one pass; `bad` collects the bad rows.

    The layout "auto" is that of the first row that can be parsed. Raises DataError: for one bad row
    more than tolerated, for a data set without rows, for columns that fit no layout.
    """
    _refuse_empty(rows)
    examples, read = [], None if layout == "auto" else layouts[layout].definition
    for row in rows.attempts():
        if read is None and isinstance(row, Row):
            read = layouts[detect(row)].definition
        example = read_or_bad(row, read, build) if read is not None else row
        if isinstance(example, Example):
            examples.append(example)
        elif isinstance(example, BadRow):
            bad.add(example)
        if progress is not None:
            progress.advance()
    return examples


def read_or_bad(row: Row | BadRow, read: Layout, build: Build) -> Example | BadRow:
    """Return a row as an example, or as a bad row with its error."""
    if isinstance(row, BadRow):
        return row
    try:
        example = read(row, build)
        return example if finished(row, example) else replace(example, finished=False)
    except DataError as error:
        return BadRow(row.values, error)


def _refuse_empty(rows: Rows) -> None:
    if not len(rows):
        raise DataError(f"'{rows.name}' has no rows", got=rows.name)
