"""Data sets as sequences of rows that stay on disk: JSONL, JSON, Parquet, saved folders, the hub.

Only each row's position is kept in memory.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.files import Row, parse_row

SUFFIXES = (".jsonl", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class BadRow:
    """As much of a row as could be read, and the error."""

    content: object
    error: DataError


class Rows(Sequence[Row]):
    """Rows by index. The `origin` of each is `file:line`, or `name:[index]` if it has no lines."""

    name: str

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        """Read a row, or several."""
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        return self.read(range(len(self))[index])

    def read(self, index: int) -> Row:
        """Read the row at an index from 0 to len - 1."""
        raise NotImplementedError

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


class JsonLines(Rows):
    """A JSONL file; one pass records where each line begins."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.starts, self.lines = array("Q"), array("L")
        position = 0
        try:
            self.file = path.open("rb")
            for number, line in enumerate(self.file, 1):
                if line.strip():
                    self.starts.append(position)
                    self.lines.append(number)
                position += len(line)
        except FileNotFoundError:
            raise DataError(f"no such file: '{path}'", got=str(path)) from None
        except OSError as error:
            problem = f"'{path}' cannot be read: {error.strerror}"
            raise DataError(problem, got=str(path)) from None

    def read(self, index: int) -> Row:
        """Read one line."""
        return parse_row(self._line(index), f"{self.path}:{self.lines[index]}")

    def content(self, index: int) -> object:
        """Return the line as text, what is not UTF-8 replaced."""
        return self._line(index).decode(errors="replace")

    def _line(self, index: int) -> bytes:
        self.file.seek(self.starts[index])
        return self.file.readline().rstrip()

    def __len__(self) -> int:
        return len(self.starts)


class JsonArray(Rows):
    """A JSON file that holds one list of objects, read whole."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        try:
            self.values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            problem = f"'{path}' cannot be read: {error.strerror}"
            raise DataError(problem, got=str(path)) from None
        except ValueError as error:
            raise DataError(f"'{path}' is not JSON: {error}", got=str(path)) from None
        if not isinstance(self.values, list):
            problem = f"'{path}' must hold a list of objects, as one a line in JSONL would"
            raise DataError(problem, got=str(path))

    def read(self, index: int) -> Row:
        """Return one object."""
        value = self.values[index]
        if not isinstance(value, dict):
            problem = f"an object is needed, got {value!r:.60}"
            raise DataError(problem, where=f"{self.path}:[{index}]", got=value)
        return Row(f"{self.path}:[{index}]", value)

    def content(self, index: int) -> object:
        """Return the value, which may be no object."""
        return self.values[index]

    def __len__(self) -> int:
        return len(self.values)


class Table(Rows):
    """A `datasets.Dataset`, memory-mapped: from Parquet, a saved folder or the hub."""

    def __init__(self, name: str, dataset: Any) -> None:
        self.name, self.dataset = name, dataset

    def read(self, index: int) -> Row:
        """Return one row as plain values."""
        return Row(f"{self.name}:[{index}]", dict(self.dataset[index]))

    def __len__(self) -> int:
        return len(self.dataset)


def open_rows(name: str, split: str | None = None) -> Rows:
    """Open a data set: a file, a folder that `datasets` saved, or a hub name. Raises DataError."""
    path = Path(name)
    if path.suffix == ".jsonl":
        return JsonLines(path)
    if path.suffix == ".json":
        return JsonArray(path)
    if path.suffix == ".parquet":
        return Table(name, _quietly(name, "parquet", path))
    if path.is_file():
        raise unknown("kind of data file", path.suffix or path.name, SUFFIXES, DataError)
    if path.is_dir():
        return Table(name, _pick(name, _quietly(name, "folder", path), split))
    return Table(name, _pick(name, _quietly(name, "hub", path), split))


def _quietly(name: str, kind: str, path: Path) -> Any:
    import datasets

    datasets.disable_progress_bars()
    if kind != "hub" and not path.exists():
        raise DataError(f"no such file: '{name}'", got=name)
    readers = {
        "parquet": lambda: datasets.Dataset.from_parquet(str(path)),
        "folder": lambda: datasets.load_from_disk(str(path)),
        "hub": lambda: datasets.load_dataset(name),
    }
    try:
        return readers[kind]()
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        tried = "no file, and from the hub it cannot be read" if kind == "hub" else "not readable"
        raise DataError(f"'{name}' is {tried}: {reason}", got=name) from None


def _pick(name: str, loaded: Any, split: str | None) -> Any:
    """Return the one split of a data set, or the named one."""
    if not isinstance(loaded, dict):
        return loaded
    if split is None and len(loaded) == 1:
        return next(iter(loaded.values()))
    chosen = split or "train"
    if chosen not in loaded:
        error = unknown("split", chosen, loaded, DataError).at(None, "data.split")
        error.problem = f"{error.problem} of '{name}'"
        raise error
    return loaded[chosen]
