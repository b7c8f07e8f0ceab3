"""The folder of encoded data sets: entries found by name, written whole, deleted when unused."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

from uniapl_cli.runs import fingerprint

log = logging.getLogger("uniapl")

ROWS, ITEMS, RECORD = "rows.arrow", "tokens.arrow", "record.json"
# An entry goes when nobody has used it for so many seconds; the one that was used longest ago goes
# while all of them take more than so many bytes.
UNUSED, MOST = 30 * 86400.0, 64 * 2**30
# Folders in the making, and on their way out.
HIDDEN = ".part-"
NAME = re.compile(r"\.part-\d+-[0-9a-f]{8}|.+-[0-9a-f]{32}")


def default_folder() -> Path:
    """Return the program's own folder in the user's cache folder."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # one that is not absolute does not count
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  no error where there is no home
    return (named if named.is_absolute() else home / ".cache") / "uniapl" / "encoded"


@dataclass(frozen=True)
class Entry:
    """A sound entry. `lock` keeps others from deleting it while it is open."""

    folder: Path
    record: Mapping[str, Any]
    lock: BinaryIO


class Scratch:
    """A folder in which an entry is made. Raises OSError."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = parent / f"{HIDDEN}{os.getpid()}-{token_hex(4)}"
        self.folder.mkdir()
        self.lock = (self.folder / RECORD).open("w+b")
        fcntl.flock(self.lock, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Delete the folder, unless it has become an entry; what is mapped of it stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Cache:
    """The entries of a folder. One is named for the data's digest and for all it depends on."""

    folder: Path

    def knows(self, data: str) -> bool:
        """Whether there may be an entry of the data with this digest."""
        with suppress(OSError):
            return any(self.folder.glob(f"{data}-*"))
        return False

    def path(self, depends: Mapping[str, Any]) -> Path:
        """Return the folder of the entry that depends on this."""
        text = json.dumps(depends, sort_keys=True)
        return self.folder / f"{depends['data']}-{fingerprint.of_text(text)}"

    def find(self, depends: Mapping[str, Any], *, mend: bool) -> Entry | None:
        """Return the entry that depends on this, if there is a sound one.

        One that is damaged is named in a line, and with `mend` deleted.
        """
        path = self.path(depends)
        try:
            lock = (path / RECORD).open("rb")
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # there is none, or it is being deleted
            return None
        record, damage = _checked(path, lock)
        if record is None:
            lock.close()
            if damage:
                text = "the encoded data in '%s' are damaged (%s) and are not used"
                log.warning(text, path, damage)
                if mend:
                    _delete(path)
            return None
        if record.get("depends") != depends:
            return None
        with suppress(OSError):  # a folder that cannot be written is not tidied up either
            os.utime(path / RECORD)
        return Entry(path, record, lock)

    def put(self, scratch: Scratch, record: Mapping[str, Any]) -> Path:
        """Make an entry of what was written, unless another process has. Raises OSError."""
        digests = {name: fingerprint.of_data(scratch.folder / name) for name in (ROWS, ITEMS)}
        text = json.dumps({**record, "files": digests})
        scratch.lock.write(f"{fingerprint.of_text(text)}\n{text}\n".encode())
        scratch.lock.flush()
        path = self.path(record["depends"])
        try:
            scratch.folder.rename(path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        self.tidy()
        return path

    def tidy(self) -> None:
        """Delete what nobody has used for long, and what is too much; not what is in use."""
        now = time.time()
        used = sorted((when, path) for path in self._folders() if (when := _used(path)))
        sizes = {path: size_of(path) for _, path in used}
        for when, path in used:
            old = now - when > (UNUSED if not path.name.startswith(HIDDEN) else 60)
            if (old or sum(sizes.values()) > MOST) and _delete(path):
                del sizes[path]

    def size(self) -> int:
        """Return the bytes of all entries."""
        return sum(map(size_of, self._folders()))

    def _folders(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from (path for path in self.folder.iterdir() if _is_entry(path))


def _is_entry(path: Path) -> bool:
    """Whether a folder is an entry, or was to be one; the user may keep other things there."""
    with suppress(OSError):
        files = {file.name for file in path.iterdir()}
        return bool(NAME.fullmatch(path.name)) and files <= {ROWS, ITEMS, RECORD}
    return False


def size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    total = 0
    with suppress(OSError):
        for path in folder.iterdir():
            total += path.stat().st_size
    return total


def _checked(path: Path, lock: BinaryIO) -> tuple[Any, str]:
    """Return the record of an entry, or None and the name of the file that is not as written."""
    digest, _, text = lock.read().decode(errors="replace").partition("\n")
    text = text.removesuffix("\n")
    if fingerprint.of_text(text) != digest:
        return None, RECORD
    record = json.loads(text)
    for name, expected in record["files"].items():
        try:
            if fingerprint.of_data(path / name) != expected:
                return None, name
        except OSError:
            return None, name
    return record, ""


def _used(path: Path) -> float:
    """Return when an entry was last used, in seconds; 0 where it has just gone."""
    with suppress(OSError):
        record = path / RECORD
        return (record if record.exists() else path).stat().st_mtime
    return 0.0


def _delete(path: Path) -> bool:
    """Delete an entry that nobody has open, and return whether it is gone."""
    try:
        if (path / RECORD).exists():
            with (path / RECORD).open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                gone = path.with_name(f"{HIDDEN}{os.getpid()}-{token_hex(4)}")
                path.rename(gone)
                shutil.rmtree(gone)
        else:
            shutil.rmtree(path)
    except OSError:
        return False
    return True
