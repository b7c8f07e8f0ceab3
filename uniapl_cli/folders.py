"""Folders that are written whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uniapl_cli.files import sync_folder
from uniapl_cli.outputs import cannot_write, check_folder


@contextmanager
def replacing_folder(folder: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a new folder to fill, which takes the place of `folder` if the block ends well.

    What is in it has reached the disk by then, unless it need not be `durable`. A link stays, and
    what it leads to is replaced. Raises OutputError where the disk is full.
    """
    place, scratch = _place(folder), scratch_of(folder)
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        yield scratch
        mode = scratch.stat().st_mode & 0o666  # what the umask gives: safetensors' own is 600
        for path in (path for path in scratch.rglob("*") if not path.is_symlink()):
            if path.is_file():
                path.chmod(mode)
            if durable:
                _sync(path)
        if durable:
            _sync(scratch)
        _put(scratch, place)
        if durable:
            sync_folder(place.parent)
    except Exception as error:
        reason = failed_write(error)
        if reason is None:
            raise
        raise cannot_write(folder, reason) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def scratch_of(folder: Path) -> Path:
    """Return what `replacing_folder` has filled, until it takes the place of `folder`."""
    place = _place(folder)
    return place.with_name(f".{place.name}.tmp")


def _place(folder: Path) -> Path:
    return folder.resolve() if folder.is_symlink() else folder


def _put(scratch: Path, place: Path) -> None:
    """Rename a folder to its place. The one before is deleted last: that may take its time."""
    before = place.with_name(f".{place.name}.before.tmp")
    shutil.rmtree(before, ignore_errors=True)
    try:
        if place.is_dir():
            place.rename(before)
        scratch.rename(place)
    except BaseException:
        if before.exists() and not place.exists():
            before.rename(place)
        raise
    shutil.rmtree(before, ignore_errors=True)


def check_folder_output(out: Path, mark: str, *inputs: Path) -> None:
    """Check that a folder may be replaced: an empty one, or one with the file `mark`.

    Raises OutputError, also for an input, what lies in one, and what one lies in.
    """
    folder = out.resolve()
    for path in (path.resolve() for path in inputs):
        if folder.is_relative_to(path) or path.is_relative_to(folder):
            raise cannot_write(out, f"'{path}' is read meanwhile")
    if folder.exists() and not folder.is_dir():
        raise cannot_write(out, "it is no folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).is_file():
        raise cannot_write(out, f"it is a folder of something else (without {mark})")
    check_folder(out)


def failed_write(error: BaseException | None) -> OSError | None:
    """Return the system's error behind what a library raised when it wrote a file.

    Those written in Rust have only a text, and torch one of its own, raised in handling the error.
    """
    while error is not None and not isinstance(error, OSError):
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number:
            return OSError(int(number[1]), os.strerror(int(number[1])))
        error = error.__cause__ or error.__context__
    return error


def _sync(path: Path) -> None:
    if path.is_dir():
        sync_folder(path)
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
