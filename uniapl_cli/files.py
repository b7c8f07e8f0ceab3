"""Files written whole or not at all, and JSONL rows that know their file and line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO, TypeGuard

from uniapl_cli.errors import DataError
from uniapl_cli.outputs import Output, find_output, open_stream

BOM = b"\xef\xbb\xbf"
# No figure needs a larger number; what is not finite is larger too.
LARGEST = 1e100


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
            advice = "A file that holds one list is named .json" if kind == "list" else ""
            raise DataError(f"a JSON object is needed, got {kind}", advice, where=origin, got=kind)
        if b"\\u" in line:
            refuse_half_characters(values, origin)
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 text: {error.reason}", where=origin) from None
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg} (column {error.colno})", where=origin) from None
    except RecursionError:
        raise DataError("not JSON: nested too deeply", where=origin) from None
    except RepeatedKey as error:
        raise DataError(str(error), where=origin, got=error.name) from None
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=origin) from None
    return Row(origin, values)


def refuse_half_characters(values: Mapping[str, Any], origin: str) -> None:
    """Refuse half of a surrogate pair, which JSON can spell and text cannot. Raises DataError."""
    try:
        dump(values).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        problem = f"not text: half of a surrogate pair ({half})"
        raise DataError(problem, where=origin, got=half) from None


class RepeatedKey(ValueError):
    """A JSON object has a key twice, so one of its values would be lost."""

    def __init__(self, name: str) -> None:
        super().__init__(f"an object has the key '{name}' twice")
        self.name = name


def parse_json(text: str) -> Any:
    """Return what a JSON text holds. Raises RepeatedKey, and ValueError for what is no JSON."""
    return _DECODER.decode(text)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value out of JSON is a number to reckon with; true, NaN and 1e400 are none."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and abs(value) <= LARGEST  # type: ignore[arg-type]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise RepeatedKey(repeated_key(pairs))
    return values


def repeated_key(pairs: Sequence[tuple[str, Any]]) -> str:
    """Return the first key that a JSON object's pairs have twice."""
    names = [name for name, _ in pairs]
    return next(name for name in names if names.count(name) > 1)


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct)


def dump(row: Mapping[str, Any]) -> str:
    """Return a row as one line of JSON; tables have values that become text."""
    return json.dumps(row, ensure_ascii=False, default=_as_text) + "\n"


def _as_text(value: object) -> str:
    """Return a date, a time, a decimal or bytes as text. Raises TypeError for anything else."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


@contextmanager
def replacing(name: str | Path, *, wait: bool = False) -> Iterator[TextIO]:
    """Open a file for writing that replaces the one at a path only if the block ends well.

    The new file has the mode and the owner of the old one. A link stays, and leads to the new file.
    A device or a pipe is written as the block goes. Raises DataError, also while another process is
    writing the file, unless it may `wait` for its end.
    """
    output = find_output(name)
    try:
        with _stream(output) if output.stream else _scratch(output, wait) as file:
            yield file
    except BrokenPipeError:
        raise  # the reader has what it wanted
    except OSError as error:
        ours = {output.scratch, output.path, *output.path.parents}
        # Opening a file names it, and that may be an input of the block; writing names none.
        if error.filename is not None and Path(error.filename) not in ours:
            raise
        raise output.error(error) from None


def _stream(output: Output) -> TextIO:
    target = open_stream(output.path) if output.descriptor is None else os.dup(output.descriptor)
    return open(target, "w", encoding="utf-8")  # noqa: PTH123  a descriptor is no path


@contextmanager
def _scratch(output: Output, wait: bool) -> Iterator[TextIO]:
    """Open the scratch file; what a killed process left there is overwritten.

    Folders that are made for it go again if it comes to nothing.
    """
    new = [folder for folder in output.path.parents if not folder.exists()]
    output.path.parent.mkdir(parents=True, exist_ok=True)
    file: TextIO | None = None
    try:
        file = _locked(output, wait)
        file.truncate(0)
        yield file
        file.flush()
        os.fsync(file.fileno())
        _put(file, output)
    finally:
        if file is None:
            output.discard()
        else:
            # Once it is in its place, whatever has its name belongs to another process.
            if is_at(file.fileno(), output.scratch):
                output.scratch.unlink()
            with suppress(OSError):  # of what could not be written before
                file.close()
        for folder in new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _locked(output: Output, wait: bool) -> TextIO:
    how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    while True:
        file = output.scratch.open("a", encoding="utf-8")
        try:
            fcntl.flock(file, how)
            if is_at(file.fileno(), output.scratch):
                return file
        except BlockingIOError:
            file.close()
            problem = f"another process is writing '{output.name}'"
            advice = "Wait until it has ended, or name another file"
            raise DataError(problem, advice, got=output.name) from None
        except BaseException:
            file.close()
            raise
        file.close()


def _put(file: TextIO, output: Output) -> None:
    """Give the scratch file the old file's mode and owner, and put it in its place."""
    with suppress(FileNotFoundError):
        old = output.path.stat()
        with suppress(PermissionError):
            os.fchown(file.fileno(), old.st_uid, old.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
    try:
        output.scratch.replace(output.path)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EPERM):
            raise
        # A file that is mounted, as containers do, or that is another user's in a sticky folder,
        # can be written but not replaced.
        shutil.copyfile(output.scratch, output.path)
    sync_folder(output.path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk, where the file system knows how."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]], *, wait: bool = False) -> int:
    """Write a JSONL file atomically and return the number of rows."""
    count = 0
    with replacing(path, wait=wait) as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(dump(row))
    return count
