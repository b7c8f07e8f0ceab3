"""Files written whole or not at all, and JSONL rows that know their file and line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from uniapl_cli.errors import DataError

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object of a file. `origin` is `file:line`."""

    origin: str
    values: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSONL file, lazily; blank lines are passed over.

    Raises DataError, with file and line, for a line that is no JSON object.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield parse_row(line.rstrip(), f"{path}:{number}")
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"no such file: '{path}'", got=str(path)) from None
    except IsADirectoryError:
        raise DataError(f"'{path}' is a folder; a JSONL file is needed", got=str(path)) from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}", got=str(path)) from None


def parse_row(line: bytes, origin: str) -> Row:
    """Read one line of JSONL. Raises DataError whose `where` is `origin`."""
    try:
        values = parse_json(line.removeprefix(BOM).decode())
        if not isinstance(values, dict):
            kind = type(values).__name__
            raise DataError(f"a JSON object is needed, got {kind}", where=origin, got=kind)
        if b"\\u" in line:
            dump(values).encode()
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 text: {error.reason}", where=origin) from None
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        problem = f"not text: half of a surrogate pair ({half})"
        raise DataError(problem, where=origin, got=half) from None
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg} (column {error.colno})", where=origin) from None
    except RecursionError:
        raise DataError("not JSON: nested too deeply", where=origin) from None
    except RepeatedKey as error:
        raise DataError(str(error), where=origin, got=error.name) from None
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=origin) from None
    return Row(origin, values)


class RepeatedKey(ValueError):
    """A JSON object has a key twice, so one of its values would be lost."""

    def __init__(self, name: str) -> None:
        super().__init__(f"an object has the key '{name}' twice")
        self.name = name


def parse_json(text: str) -> Any:
    """Return what a JSON text holds. Raises RepeatedKey, and ValueError for what is no JSON."""
    return _DECODER.decode(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        raise RepeatedKey(next(name for name in names if names.count(name) > 1))
    return values


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Open a file for writing that replaces `path` only if the block ends without an error."""
    if path.is_dir():
        raise _folder(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        file = scratch.open("w", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write '{path}': {error.strerror}", got=str(path)) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def can_write(folder: Path) -> None:
    """Raise DataError if a folder cannot be made or written; do not make it."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        reason = "it is no folder" if existing == folder else f"'{existing}' is no folder"
        raise DataError(f"cannot write '{folder}': {reason}", got=str(folder))
    if not os.access(existing, os.W_OK):
        raise DataError(f"cannot write '{folder}': permission denied", got=str(folder))


def can_replace(path: Path) -> None:
    """Raise DataError if a file could not be written; do not make it."""
    if path.is_dir():
        raise _folder(path)
    can_write(path.parent)


def _folder(path: Path) -> DataError:
    return DataError(f"cannot write '{path}': it is a folder", got=str(path))


def dump(row: Mapping[str, Any]) -> str:
    """Return a row as one line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a JSONL file atomically and return the number of rows."""
    count = 0
    with replacing(path) as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(dump(row))
    return count
