"""Files of text: JSON lines, JSON documents and CSV, each also compressed with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import sys
import tempfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from uniapl_cli.data.detect import fits_a_layout
from uniapl_cli.data.rows import Rows
from uniapl_cli.errors import DataError
from uniapl_cli.files import RepeatedKey, Row, parse_row, refuse_half_characters, repeated_key

LFS = b"version https://git-lfs"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into a DataError that names it."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"no such file: '{path}'", got=str(path)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' is no whole gzip file: {error}", got=str(path)) from None
    except OSError as error:
        problem = f"'{path}' cannot be read: {error.strerror or error}"
        raise DataError(problem, got=str(path)) from None


def open_binary(path: Path) -> IO[bytes]:
    """Open a file; one that ends in .gz is decompressed into a file that has no name.

    Raises DataError.
    """
    with reading(path):
        if path.suffix.lower() != ".gz":
            return path.open("rb")
        scratch = tempfile.TemporaryFile()  # noqa: SIM115
        with gzip.open(path) as file:
            shutil.copyfileobj(file, scratch)
        scratch.seek(0)
        return scratch


def refuse_pointer(path: Path) -> None:
    """Refuse a Git LFS pointer, which a clone without Git LFS has for each large file."""
    with reading(path), path.open("rb") as file:
        if file.read(len(LFS)) == LFS:
            problem = f"'{path}' is a Git LFS pointer, not the file itself"
            raise DataError(problem, "Run 'git lfs pull' in its folder", got=str(path))


class JsonLines(Rows):
    """A file with an object a line, which stay on disk; one pass records where each begins."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.starts, self.lines = array("Q"), array("L")
        self.file = open_binary(path)
        position = 0
        with reading(path):
            for number, line in enumerate(self.file, 1):
                if line.strip():
                    self.starts.append(position)
                    self.lines.append(number)
                position += len(line)

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


class Repeating(dict[str, Any]):
    """An object that has the key `key` twice."""

    def __init__(self, values: dict[str, Any], key: str) -> None:
        super().__init__(values)
        self.key = key


class JsonDocument(Rows):
    """A JSON file that holds one list of objects, read whole."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.repeats = False
        with open_binary(path) as file, reading(path):
            content = file.read()
        try:
            document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=self._object)
        except RecursionError:
            raise DataError(f"'{path}' is nested too deeply", got=str(path)) from None
        except ValueError as error:
            raise DataError(
                f"'{path}' is not JSON: {error}",
                "A file with an object a line is named .jsonl",
                got=str(path),
            ) from None
        if isinstance(document, Repeating) and not fits_a_layout(document):
            raise DataError(f"'{path}': {RepeatedKey(document.key)}", got=document.key)
        self.values = _listed(path, document)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) == len(pairs):
            return values
        self.repeats = True
        return Repeating(values, repeated_key(pairs))

    def read(self, index: int) -> Row:
        """Return one object."""
        origin, value = f"{self.path}:[{index}]", self.values[index]
        if not isinstance(value, dict):
            problem = f"an object is needed, got {value!r:.60}"
            raise DataError(problem, where=origin, got=value)
        if self.repeats and (name := _repeated(value)) is not None:
            raise DataError(str(RepeatedKey(name)), where=origin, got=name)
        refuse_half_characters(value, origin)
        return Row(origin, value)

    def content(self, index: int) -> object:
        """Return the value, which may be no object."""
        return self.values[index]

    def __len__(self) -> int:
        return len(self.values)


def _listed(path: Path, document: Any) -> list[Any]:
    """Return the rows of a document: a list, the only list of objects of an object, or itself."""
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        if fits_a_layout(document):
            return [document]
        lists = [v for v in document.values() if isinstance(v, list) and _all_objects(v)]
        if len(lists) == 1:
            return lists[0]
    raise DataError(
        f"'{path}' must hold a list of objects, or an object with one such list",
        "Write the rows into a list, or an object a line into a file named .jsonl",
        got=str(path),
    )


def _all_objects(listed: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in listed)


def _repeated(value: Any) -> str | None:
    """Return a key that an object in a value has twice."""
    if isinstance(value, Repeating):
        return value.key
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((name for one in inside if (name := _repeated(one)) is not None), None)


class Csv(Rows):
    """A CSV or TSV file whose first line names the columns, read whole; an empty cell is null."""

    def __init__(self, path: Path, separator: str) -> None:
        self.path, self.name = path, str(path)
        csv.field_size_limit(sys.maxsize)
        self.lines: list[int] = []
        self.cells: list[list[str]] = []
        with open_binary(path) as file, reading(path):
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            try:
                self._read(csv.reader(text, delimiter=separator, strict=True))
            except (csv.Error, UnicodeDecodeError) as error:
                kind = "TSV" if separator == "\t" else "CSV"
                raise DataError(f"'{path}' is not {kind}: {error}", got=str(path)) from None

    def _read(self, reader: Any) -> None:
        self.columns: list[str] = next(reader, [])
        if repeated := [name for name in self.columns if self.columns.count(name) > 1]:
            problem = f"the first line names the column '{repeated[0]}' twice"
            raise DataError(problem, where=f"{self.path}:1", got=repeated[0])
        if spaced := [name for name in self.columns if name != name.strip()]:
            problem = f"the first line names the column {spaced[0]!r}, with white space around it"
            raise DataError(problem, where=f"{self.path}:1", got=spaced[0])
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                self.lines.append(line)
                self.cells.append(cells)
            line = reader.line_num + 1

    def read(self, index: int) -> Row:
        """Return one row."""
        origin, cells = f"{self.path}:{self.lines[index]}", self.cells[index]
        if len(cells) != len(self.columns):
            problem = f"it has {len(cells)} cells, and the first line names {len(self.columns)}"
            raise DataError(problem, where=origin, got=len(cells))
        return Row(origin, {n: cell or None for n, cell in zip(self.columns, cells, strict=True)})

    def content(self, index: int) -> object:
        """Return the row's cells."""
        return self.cells[index]

    def __len__(self) -> int:
        return len(self.cells)


def open_json(path: Path) -> Rows:
    """Open a .json file: a document, or an object a line, as its first line says; or nothing."""
    with open_binary(path) as file, reading(path):
        lines = (line for line in file if line.strip())
        first, more = next(lines, b""), next(lines, None) is not None
    try:
        if not first or (more and parse_row(first.rstrip(), str(path))):
            return JsonLines(path)
    except DataError:
        pass
    return JsonDocument(path)
