"""Reads the files of benchmarks: those of the hub, and those of their authors."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.data import open_rows
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row


def find(data: Path, *patterns: str) -> list[Path]:
    """Return the files of the first pattern that a folder has any of; a file is that one.

    Where it has none, its subfolders are looked through, as in a copy of the hub's repository.
    Raises DataError for a folder without any, and for what does not exist.
    """
    if data.is_file():
        return [data]
    if not data.is_dir():
        raise DataError(
            f"there is no file or folder '{data}'",
            "Fetch it with uniapl data fetch, or name what there is with the benchmark's data=...",
            got=str(data),
        )
    for pattern in (*patterns, *(f"**/{pattern}" for pattern in patterns)):
        if found := sorted(path for path in data.glob(pattern) if path.is_file()):
            return found
    names = ", ".join(patterns)
    raise DataError(f"'{data}' has none of: {names}", got=str(data), allowed=list(patterns))


def rows(data: Path, *patterns: str) -> list[Row]:
    """Read the files of the first pattern that there is, by their kind. Raises DataError."""
    return [row for path in find(data, *patterns) for row in open_rows(str(path))]


def headless(path: Path, columns: Sequence[str]) -> list[Row]:
    """Read a CSV file that has no header. Raises DataError with file and line."""
    found = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, values in enumerate(csv.reader(file, strict=True), 1):
                if len(values) != len(columns):
                    problem = f"{len(values)} columns, and {', '.join(columns)} are needed"
                    raise DataError(problem, where=f"{path}:{number}", got=len(values))
                row = dict(zip(columns, values, strict=True))
                found.append(Row(f"{path}:{number}", row))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' is not CSV: {error}", got=str(path)) from None
    return found


def field(row: Row, *names: str) -> Any:
    """Return the first of some columns that a row has. Raises DataError if it has none."""
    for name in names:
        if row.values.get(name) is not None:
            return row.values[name]
    has = ", ".join(row.values)
    problem = f"a column {' or '.join(repr(name) for name in names)} is needed; the row has: {has}"
    raise DataError(problem, where=row.origin, got=list(row.values), allowed=list(names))
