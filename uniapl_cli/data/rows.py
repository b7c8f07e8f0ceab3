"""Data sets as sequences of rows that stay on disk: JSONL, JSON, Parquet, saved folders, the hub.

What is kept in memory is a position a row, not the row.
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
    """What of a row could be read, and what is wrong with it."""

    content: object
    error: DataError


class Rows(Sequence[Row]):
    """Rows by place. `origin` of each is `file:line`, or `name:[place]` without lines."""

    name: str

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        """Read a row, or several."""
        if isinstance(place, slice):
            return [self.read(p) for p in range(*place.indices(len(self)))]
        return self.read(range(len(self))[place])

    def read(self, place: int) -> Row:
        """Read the row at a place from 0 to len - 1."""
        raise NotImplementedError

    def content(self, place: int) -> object:
        """Return as much of a row as there is, where `read` fails."""
        return None

    def attempt(self, place: int) -> Row | BadRow:
        """Read the row at a place, or say what is wrong with it."""
        try:
            return self.read(place)
        except DataError as error:
            return BadRow(self.content(place), error)

    def attempts(self) -> Iterator[Row | BadRow]:
        """Yield every row, or what is wrong with it."""
        return map(self.attempt, range(len(self)))

    def __len__(self) -> int:
        raise NotImplementedError


class JsonLines(Rows):
    """A JSONL file: one pass notes where each line begins."""

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

    def read(self, place: int) -> Row:
        """Read one line."""
        return parse_row(self._line(place), f"{self.path}:{self.lines[place]}")

    def content(self, place: int) -> object:
        """Return the line as text, what is not UTF-8 replaced."""
        return self._line(place).decode(errors="replace")

    def _line(self, place: int) -> bytes:
        self.file.seek(self.starts[place])
        return self.file.readline().rstrip()

    def __len__(self) -> int:
        return len(self.starts)


class JsonArray(Rows):
    """A JSON file that holds one list of objects; it is read whole, as JSON must be."""

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

    def read(self, place: int) -> Row:
        """Return one object."""
        value = self.values[place]
        if not isinstance(value, dict):
            problem = f"an object is needed, got {value!r:.60}"
            raise DataError(problem, where=f"{self.path}:[{place}]", got=value)
        return Row(f"{self.path}:[{place}]", value)

    def content(self, place: int) -> object:
        """Return what stands in an object's place."""
        return self.values[place]

    def __len__(self) -> int:
        return len(self.values)


class Table(Rows):
    """A `datasets.Dataset`, memory-mapped: from Parquet, a saved folder or the hub."""

    def __init__(self, name: str, dataset: Any) -> None:
        self.name, self.dataset = name, dataset

    def read(self, place: int) -> Row:
        """Return one row as plain values."""
        return Row(f"{self.name}:[{place}]", dict(self.dataset[place]))

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
    wanted = split or "train"
    if wanted not in loaded:
        error = unknown("split", wanted, loaded, DataError).at(None, "data.split")
        error.problem = f"{error.problem} of '{name}'"
        raise error
    return loaded[wanted]
