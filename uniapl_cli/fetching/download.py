"""Downloads a file: goes on with what is there of it, checks it, and puts it in its place."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from uniapl_cli.errors import DataError
from uniapl_cli.fetching.parts import Part
from uniapl_cli.fetching.web import Web, repeated
from uniapl_cli.files import is_at, sync_folder
from uniapl_cli.http import RequestFailed
from uniapl_cli.outputs import cannot_write

log = logging.getLogger("uniapl")

CHUNK = 1 << 20
# Seconds between two lines about one file.
TOLD_EVERY = 10.0


def download(part: Part, path: Path, web: Web) -> str:
    """Fetch a file to a path, and return its sha256. Raises DataError.

    What an interrupted command left of it lies beside it, under a name that says of which URL it
    is: the URL names a commit, so that its content does not change.
    """
    tag = hashlib.sha256(part.url.encode()).hexdigest()[:8]
    scratch = path.with_name(f".{path.name}.{tag}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(scratch) as file:
            _check_room(part, file, path)
            sizes = [_size(file)]

            def grew() -> bool:
                sizes.append(_size(file))
                return sizes[-1] > sizes[-2]

            repeated(lambda: _pour(part, file, web), grew)
            sha256 = _checked(part, scratch)
            os.fsync(file.fileno())
            scratch.replace(path)
            sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None
    return sha256


def check(part: Part, path: Path) -> str:
    """Return a file's sha256. Raises DataError where it, or git's SHA-1, is another than known."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    kind, got, expected = "sha256", sha256, part.sha256
    if expected is None and part.blob is not None:
        kind, got, expected = "git SHA-1", _blob(path), part.blob
    if expected is not None and got != expected:
        problem = f"the {kind} of '{path}' is {got}, and {expected} was expected"
        raise DataError(problem, got=got, allowed=[expected])
    return sha256


def _checked(part: Part, scratch: Path) -> str:
    """Return the sha256 of what was downloaded; what is wrong goes, or it would stay so."""
    try:
        return check(part, scratch)
    except DataError as error:
        scratch.unlink()
        error.problem = error.problem.replace(str(scratch), part.url)
        error.advice = "It was removed; repeat the command. If it stays so, its owner changed it"
        raise


def _blob(path: Path) -> str:
    """Return the SHA-1 by which git knows a file's content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _pour(part: Part, file: FileIO, web: Web) -> None:
    """Append what is missing of a file. Raises RequestFailed where the connection broke."""
    start = file.seek(0, os.SEEK_END)
    with web.open(part.url, start) as response:
        if response.status_code == 416:  # nothing is missing, or there is more than there should be
            if start != _length(response.headers.get("content-range", "")):
                file.truncate(0)
                raise RequestFailed("range", f"{part.url}: the server has another file")
            return
        if start and response.status_code != 206:
            start = 0
            file.truncate(0)
        whole = start + int(response.headers.get("content-length", -1)) or None
        told = time.monotonic()
        for chunk in response.iter_raw():
            file.write(chunk)
            if time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                log.info("%s: %.0f of %s MB", part.name, _size(file) / 1e6, _megabytes(whole))
    if "content-length" in response.headers and _size(file) != whole:
        raise RequestFailed("short", f"{part.url}: {_size(file)} of {whole} bytes came")


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:.0f}"


def _length(content_range: str) -> int | None:
    """Return the whole length that `bytes */1234` names."""
    length = content_range.rpartition("/")[2]
    return int(length) if length.isdecimal() else None


def _size(file: FileIO) -> int:
    return os.fstat(file.fileno()).st_size


def _check_room(part: Part, file: FileIO, path: Path) -> None:
    """Refuse a file that the disk has no room for. Raises DataError."""
    missing = (part.size or 0) - _size(file)
    free = shutil.disk_usage(path.parent).free
    if missing > free:
        problem = f"'{path}' needs {missing:,} bytes more, and {free:,} are free there"
        raise DataError(problem, "Make room, and repeat the command", got=free)


@contextmanager
def _locked(scratch: Path) -> Iterator[FileIO]:
    """Open what is there of a file, for one process at a time. Raises DataError."""
    while True:
        with FileIO(scratch, "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                problem = f"another process is fetching '{scratch}'"
                raise DataError(problem, "Wait until it has ended", got=str(scratch)) from None
            if not is_at(file.fileno(), scratch):
                continue
            try:
                yield file
            finally:
                if is_at(file.fileno(), scratch) and not _size(file):
                    scratch.unlink()
            return
