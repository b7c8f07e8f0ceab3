"""A JSONL file that grows over several runs, written by one process at a time."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, Self

from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, dump, is_at, read_rows, replacing
from uniapl_cli.outputs import Output, OutputError, check_output, find_output

log = logging.getLogger("uniapl")

# `add` writes when so many rows are waiting, or when the last write is so many seconds ago.
BATCH_ROWS = 64
BATCH_SECONDS = 1.0
# Bytes read at a time, from the end, to find the end of the last whole line.
BLOCK = 1 << 16
# Of the file beside the rows that says how they were made.
RECORD = ".meta.json"


class AppendOnlyRows:
    """Appends rows to a JSONL file, and continues one that an earlier run left unfinished.

    `provenance`: what decides the rows; it is kept beside them as FILE.meta.json. `key`: the
    config's key of the file. To be used as a context. Entering it locks the file, refuses rows of
    another provenance and cuts off a torn last line; leaving it, also by an error, writes the rows
    that are still waiting.
    """

    def __init__(self, path: Path, provenance: Mapping[str, Any], key: str) -> None:
        self.path, self.provenance = path, provenance
        self.output = find_output(path)
        self.record = self.output.beside(RECORD).path
        self.elsewhere = f"set another {key}"
        self._waiting: list[Mapping[str, Any]] = []
        self._wrote = time.monotonic()
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        self._file = self._locked()
        try:
            if _size(self._file):
                self.check()
                if cut_torn_line(self._file):
                    log.warning("%s: an unfinished last line was cut off", self.path)
        except BaseException:
            self._file.close()
            raise
        self._wrote = time.monotonic()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        assert self._file is not None, "the block has begun"
        try:
            self.flush()
            if isinstance(error, KeyboardInterrupt):
                error.add_note(f"the same command {self._whence()}")
        finally:
            if not _size(self._file):
                self.output.path.unlink(missing_ok=True)
            self._file.close()

    def rows(self) -> Iterator[Row]:
        """Yield the rows that are in the file, in their order."""
        return read_rows(self.path)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row; it is written with others, see BATCH_ROWS and BATCH_SECONDS."""
        self._waiting.append(row)
        late = time.monotonic() - self._wrote >= BATCH_SECONDS
        if late or len(self._waiting) >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are waiting."""
        rows, self._waiting = self._waiting, []
        if rows:
            self.append(rows)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows; they have reached the disk when this returns. Raises DataError."""
        assert self._file is not None, "the block has begun"
        if not _size(self._file):
            with replacing(self.record) as record:
                record.write(json.dumps(self.provenance, indent=1) + "\n")
        try:
            append_rows(self._file, rows)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._error(error, f": it {self._whence()}") from None
        self._wrote = time.monotonic()

    def _whence(self) -> str:
        count = sum(1 for _ in self.output.path.open("rb"))
        return f"goes on from the {count} rows in '{self.path}'" if count else "starts anew"

    def _locked(self) -> FileIO:
        """Open the file with an exclusive lock, which ends when it is closed. Raises DataError."""
        path = self.output.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                file = path.open("a+b", buffering=0)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # Its last writer may have replaced the file between the opening and the lock.
                    if is_at(file.fileno(), path):
                        return file
                except BaseException:
                    file.close()
                    raise
                file.close()
        except BlockingIOError:
            problem = f"another process is writing '{self.path}'"
            advice = f"Wait until it has ended, or {self.elsewhere}"
            raise DataError(problem, advice, got=str(self.path)) from None
        except OSError as error:
            raise self._error(error) from None

    def check(self) -> None:
        """Refuse the file's rows if they are of another or of unknown provenance.

        Raises DataError.
        """
        name, advice = self.record.name, f"Delete it, or {self.elsewhere}"
        try:
            if not self.record.is_file():
                raise FileNotFoundError
            earlier = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            problem = f"'{self.path}' has rows, but no {name} that says how they were made"
            raise DataError(problem, advice, got=str(self.path)) from None
        if earlier != self.provenance:
            changed = ", ".join(differing(earlier, self.provenance))
            problem = f"'{self.path}' holds rows made with another {changed} ({name} says which)"
            raise DataError(problem, advice, got=str(self.path))

    def _error(self, error: OSError, whence: str = "") -> OutputError:
        failed = self.output.error(error)
        failed.advice += whence if failed.advice else ""
        return failed


def differing(earlier: Any, now: Mapping[str, Any]) -> list[str]:
    """Return the names of what differs between two records of how rows were made."""
    if not isinstance(earlier, dict):
        return ["record"]
    return [name for name in {**now, **earlier} if earlier.get(name) != now.get(name)]


def read_record(path: Path) -> Mapping[str, Any]:
    """Return the record of how the rows of a file were made; empty where there are none."""
    try:
        output = find_output(path)
        text = output.beside(RECORD).path.read_text(encoding="utf-8")
        record = json.loads(text) if output.path.stat().st_size else {}
    except (OSError, ValueError, RecursionError, DataError):
        return {}
    return record if isinstance(record, dict) else {}


def check_appended(name: str) -> list[Output]:
    """Return the two files that AppendOnlyRows would write, checked. Raises DataError."""
    output = check_output(name)
    if output.stream:
        raise output.error("rows cannot be read back from a device or a pipe, to go on from them")
    record = check_output(output.beside(RECORD).path)
    if record.stream:
        raise record.error("it is a device or a pipe, and must be a file")
    return [output, record]


def append_rows(file: FileIO, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows at the end of a file; where the disk is full, as many whole lines as it holds.

    Raises OSError.
    """
    data = memoryview("".join(map(dump, rows)).encode())
    try:
        while data:
            data = data[file.write(data) :]
    except OSError:
        cut_torn_line(file)
        raise


def cut_torn_line(file: FileIO) -> bool:
    """Cut off an unfinished last line, which a kill can leave; return whether there was one."""
    end = size = _size(file)
    while end:
        start = max(0, end - BLOCK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    file.truncate(end)
    return end < size


def _size(file: FileIO) -> int:
    return os.fstat(file.fileno()).st_size
