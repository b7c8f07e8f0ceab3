"""What the path of an output may be: decided here, for every file that is written."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from uniapl_cli.errors import DataError

# Links that are followed one after the other; Linux has the same limit.
LINKS = 40
# What a check writes: a full disk may have room for a file's name and for none of its bytes.
PROBE = bytes(4096)
# So long a pipe waits for a process that reads it.
READER_SECONDS = 10.0
# Longest name that is repeated in the scratch file's, so that this is no longer than allowed.
NAME_BYTES = 200


# What a user can mend without another path.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class OutputError(DataError):
    """A file cannot be written."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a path leads: a file, or a stream (a device, a pipe) that cannot be replaced.

    `path` has no links in it. `descriptor` is the open file that /dev/stdout or /dev/fd/N names.
    """

    name: str
    path: Path
    stream: bool = False
    descriptor: int | None = None

    def error(self, reason: str | OSError) -> OutputError:
        """Return the error that this cannot be written."""
        return cannot_write(self.name, reason)

    @property
    def scratch(self) -> Path:
        """The file beside it that is written first, and locked meanwhile."""
        name = os.fsencode(self.path.name)[:NAME_BYTES].decode(errors="ignore")
        return self.path.with_name(f".{name}.tmp")

    def discard(self) -> None:
        """Delete an empty scratch file that nobody holds: a signal came as soon as it was there."""
        with suppress(OSError), self.scratch.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not file.read(1) and os.path.samestat(os.fstat(file.fileno()), self.scratch.stat()):
                self.scratch.unlink()

    def same(self, other: Output) -> bool:
        """Whether both are one file, by whatever route; never for what only swallows, or a tty."""
        with suppress(OSError):
            ours, theirs = _state(self), _state(other)
            return os.path.samestat(ours, theirs) and not stat.S_ISCHR(ours.st_mode)
        return self.path == other.path

    def beside(self, suffix: str) -> Output:
        """Return the output whose name has a suffix more."""
        return Output(self.name + suffix, self.path.with_name(self.path.name + suffix))


def cannot_write(name: str | Path, reason: str | OSError) -> OutputError:
    """Return the error that a file or folder cannot be written."""
    advice = ""
    if isinstance(reason, OSError):
        advice = "Make room, and repeat the command" if reason.errno in FULL else ""
        reason = reason.strerror or str(reason)
    problem = f"cannot write '{name}': {reason[:1].lower()}{reason[1:]}"
    return OutputError(problem, advice, got=str(name))


def find_output(name: str | Path) -> Output:
    """Follow a path's links to what would be written. Raises DataError for what cannot be.

    A link may point to a file that is not there yet, but not into a folder that is not there.
    """
    path, linked = Path(name), False
    if problem := unusable(str(name)):
        raise cannot_write(name, problem)
    if str(name) == "-":
        raise cannot_write(name, "only score.out takes it for stdout; type /dev/stdout")
    if str(name).endswith("/"):
        raise cannot_write(name, "that is a folder's name; a file's is needed")
    try:
        for _ in range(LINKS):
            path = path.parent.resolve() / path.name
            if (number := _open_file(path)) is not None:
                return Output(str(name), path, True, number)
            if not path.is_symlink():
                return _classified(Output(str(name), path), linked)
            path, linked = path.parent / path.readlink(), True
    except (OSError, RuntimeError) as error:  # a loop among the folders is a RuntimeError
        reason = error if isinstance(error, OSError) and error.strerror else "a circle of links"
        raise cannot_write(name, reason) from None
    raise cannot_write(name, "a circle of links")


def open_stream(path: Path) -> int:
    """Open a device, or a pipe, whose reader may come a little later. Raises OSError."""
    deadline = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo():
                raise
            if time.monotonic() > deadline:
                raise OSError(errno.ENXIO, "nothing reads this pipe", str(path)) from None
            time.sleep(0.02)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def unusable(path: str) -> str | None:
    """Return why no file can have this path, if that is so."""
    if "\0" in path:
        return "a path cannot hold the character NUL"
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        return "half of a surrogate pair is no text"
    if len(encoded) > 4095 or any(len(part) > 255 for part in encoded.split(b"/")):
        return "the name is too long: 255 bytes are allowed, and 4095 with its folders"
    return None


def _open_file(path: Path) -> int | None:
    """Return N for this process's own /dev/fd/N, and for /dev/stdout."""
    match = re.fullmatch(rf"/proc/{os.getpid()}(/task/\d+)?/fd/(\d+)", str(path))
    return int(match[2]) if match else None


def _classified(output: Output, linked: bool) -> Output:
    try:
        mode = output.path.stat().st_mode
    except FileNotFoundError:
        if linked and not output.path.parent.is_dir():
            raise output.error(f"a link to '{output.path}', whose folder is not there") from None
        return output
    if stat.S_ISREG(mode):
        return output
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return Output(output.name, output.path, True)
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFBLK: "a disk", stat.S_IFSOCK: "a socket"}
    raise output.error(f"it is {kinds.get(stat.S_IFMT(mode), 'no file')}")


def _state(output: Output) -> os.stat_result:
    return output.path.stat() if output.descriptor is None else os.fstat(output.descriptor)


def check_output(name: str | Path) -> Output:
    """Return where a path leads, checked that it can be written now. Raises DataError.

    Leaves everything as it was. Permissions are tried, not read: they say nothing to root.
    """
    output = find_output(name)
    try:
        if output.descriptor is not None:
            os.fstat(output.descriptor)
        elif output.stream:
            if not os.access(output.path, os.W_OK):
                raise output.error("permission denied")
        else:
            if output.path.exists():
                flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
                os.close(os.open(output.path, flags))
            _try_writing(output.path.parent)
    except OSError as error:
        raise output.error(error) from None
    return output


def check_folder(name: str | Path) -> None:
    """Check that files can be written below a folder, which may not be there yet.

    Raises DataError.
    """
    if problem := unusable(str(name)):
        raise cannot_write(name, problem)
    try:
        _try_writing(Path(name))
    except OSError as error:
        raise cannot_write(name, error) from None


def _try_writing(folder: Path) -> None:
    """Write a block into a folder, or into the one in which it will be made. Raises OSError."""
    existing = next(path for path in (folder, *folder.absolute().parents) if _exists(path))
    if not existing.is_dir():
        reason = "it is no folder" if existing == folder else f"'{existing}' is no folder"
        raise OSError(errno.ENOTDIR, reason)
    # A file without a name, which a kill cannot leave behind.
    with TemporaryFile(dir=existing, buffering=0) as file:
        if file.write(PROBE) < len(PROBE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())


def _exists(path: Path) -> bool:
    """Whether something is there, a link to nothing included."""
    return path.exists() or path.is_symlink()
