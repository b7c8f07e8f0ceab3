"""The folder that a pool's workers start in, which goes with its owner even if that is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "uniapl-sandbox-"
_own: set[Folder] = set()


class Folder:
    """An empty folder for the workers, locked for as long as this process lives.

    A process that was killed cannot remove its folder; the next one does, by the lock that nobody
    holds any more.
    """

    def __init__(self) -> None:
        sweep(Path(tempfile.gettempdir()))
        while (lock := self._make()) is None:
            pass  # another process swept it between its creation and the lock
        self._lock = lock
        _own.add(self)

    def _make(self) -> int | None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(self.path)
        if lock is not None and self.path.exists():
            self.path.chmod(0o555)  # the workers see it as nobody
            return lock
        if lock is not None:
            os.close(lock)
        return None

    def remove(self) -> None:
        """Remove the folder, once.

        It is one of `_own` until it is gone: a signal in the middle may end the process.
        """
        if self._lock >= 0:
            _remove(self.path)
            lock, self._lock = self._lock, -1
            with suppress(OSError):
                os.close(lock)
        _own.discard(self)


def remove_own() -> None:
    """Remove all folders of this process, which is about to end without further ado."""
    for folder in list(_own):
        folder.remove()


def sweep(temporary: Path) -> None:
    """Remove this user's folders whose owners are gone."""
    for path in temporary.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if path.is_symlink() or path.lstat().st_uid != os.getuid():
                continue
            if (lock := _lock(path)) is not None:
                _remove(path)
                os.close(lock)


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the folder's lock; None if another process holds it."""
    import fcntl  # not on every system, and the package is imported on all of them

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
