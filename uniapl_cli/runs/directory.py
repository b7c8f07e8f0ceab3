"""A run's directory.

config.yaml       the resolved config
inputs.json       digests of the data, the template and the models that were read
environment.json  versions, commit, machine
metrics.jsonl     a line a logged step
samples.jsonl     rollouts with their rewards
validation.jsonl  a line a validation
best/             the model that was best at validation, with best.json
logs/             what each of several processes has said
checkpoints/      the state to resume from
final-NAME/       the further learner of that name, a reward model
final/            the trained model; it exists only when the run has finished
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, TextIO

from uniapl_cli.appending import append_rows
from uniapl_cli.errors import DataError, RunError
from uniapl_cli.files import Row, parse_row, replacing
from uniapl_cli.outputs import cannot_write
from uniapl_cli.runs.final import damage

VERSION = 2  # of the lines of metrics.jsonl


class RunDirectory:
    """The directory that a run writes; one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.inputs = path / "inputs.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples.jsonl"
        self.validation = path / "validation.jsonl"
        self.best = path / "best"
        self.checkpoints = path / "checkpoints"
        self.final = path / "final"
        self.scratch = path / ".served.tmp"  # what servers read; it is nobody's when a run opens
        self._lock: TextIO | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end, and its final model is whole."""
        return self.final.is_dir() and self.damage is None

    @property
    def damage(self) -> str | None:
        """What is wrong with the final model, if there is one."""
        return damage(self.final) if self.final.exists() else None

    @property
    def has_state(self) -> bool:
        """Whether there is something to go on from: a checkpoint, or the final model."""
        return self.final.exists() or any(self.checkpoints.glob("step-*"))

    @property
    def newest_step(self) -> int:
        """The step of the newest checkpoint; 0 where there is none."""
        names = [path.name.removeprefix("step-") for path in self.checkpoints.glob("step-*")]
        return max((int(name) for name in names if name.isdecimal()), default=0)

    @property
    def locked(self) -> bool:
        """Whether a process is writing the run."""
        try:
            with (self.path / ".lock").open("r") as file:
                return not _taken(file, fcntl.LOCK_SH)
        except OSError:
            return False

    def reopen(self) -> None:
        """Make a finished run an unfinished one, which goes on to more steps."""
        aside = self.path / ".final.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        self.final.rename(aside)
        shutil.rmtree(aside)

    def open(self) -> None:
        """Create the directory and lock it until it is closed. Raises RunError.

        What a killed process had begun to write is deleted.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise RunError(
                f"cannot write the run directory '{self.path}': {error.strerror}",
                "Choose another with run.dir=...",
                key="run.dir",
                got=str(self.path),
            ) from None
        if not _taken(self._lock, fcntl.LOCK_EX):
            raise RunError(
                f"another process is training into '{self.path}'",
                "Wait for it, or set run.dir",
                key="run.dir",
                got=str(self.path),
            )
        for parent in (self.path, self.checkpoints):
            for scratch in parent.glob(".*.tmp"):
                folder = scratch.is_dir() and not scratch.is_symlink()
                shutil.rmtree(scratch) if folder else scratch.unlink()

    def close(self) -> None:
        """Let others write: a program that goes on may keep an error, and with it this object."""
        if self._lock is not None:
            self._lock.close()

    def write(self, name: str, text: str) -> None:
        """Write one of the small files atomically."""
        with replacing(self.path / name) as file:
            file.write(text)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a line of metrics."""
        _append(self.metrics, [{"version": VERSION, **row}])

    def log_validation(self, row: Mapping[str, Any]) -> None:
        """Append a line of validation."""
        _append(self.validation, [{"version": VERSION, **row}])

    def logged(self) -> list[dict[str, Any]]:
        """Return the lines of metrics in order, but for a last one that a kill tore.

        Raises RunError for lines of another version, and for what is no step's.
        """
        return self._logged(self.metrics)

    def validated(self) -> list[dict[str, Any]]:
        """Return the lines of validation, likewise."""
        return self._logged(self.validation)

    def _logged(self, path: Path) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        rows = [self._versioned(row) for row, _ in self._lines(path)]
        for earlier, later in pairwise(rows):
            if later["step"] <= earlier["step"]:
                problem = f"step {later['step']} comes after step {earlier['step']}"
                raise self._damaged(path, problem, None, later["step"])
        return rows

    def _versioned(self, row: Row) -> dict[str, Any]:
        version = row.values.pop("version", None)
        if version != VERSION:
            raise RunError(
                f"the line is of version {version or 1}, and this uniapl reads {VERSION}",
                "Set another run.dir, or delete the folder",
                where=row.origin,
                key="run.dir",
                got=version,
                allowed=[str(VERSION)],
            )
        return row.values

    def sample(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rollouts."""
        _append(self.samples, rows)

    def rewind(self, step: int) -> None:
        """Delete the lines of steps after `step`, and a last line cut off by a kill."""
        for path in (self.metrics, self.samples, self.validation):
            if path.exists():
                # Bytes: a float would be written anew, and text lines also end at U+2028.
                with replacing(path) as file:
                    for row, line in self._lines(path):
                        if row.values["step"] <= step:
                            file.write(line.decode())

    def _lines(self, path: Path) -> Iterator[tuple[Row, bytes]]:
        """Yield the whole lines of a file, read and as they are. Raises RunError."""
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n"):
                        return
                    row = parse_row(line, f"{path}:{number}")
                    if not is_count(row.values.get("step")):
                        raise DataError("the line is no step's", where=row.origin)
                    yield row, line
        except DataError as error:
            raise self._damaged(path, error.problem, error.where, error.got) from None
        except OSError as error:
            raise self._damaged(path, f"cannot be read: {error.strerror}", str(path)) from None

    def _damaged(self, path: Path, problem: str, where: str | None, got: object = None) -> RunError:
        advice = f"Mend or delete the line, or {path.name}, or set another run.dir"
        return RunError(problem, advice, where=where or str(path), key="run.dir", got=got)


def _taken(file: IO[str], kind: int) -> bool:
    """Take a lock of an open file; False where another process holds one.

    It is tried again a moment later, since `locked` holds one for no longer than that.
    """
    for last in (False, True):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not last:
                time.sleep(0.05)
    return False


def is_count(value: object) -> bool:
    """Whether a value out of JSON is a whole number from 0; true is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows. Raises OutputError."""
    try:
        with path.open("a+b", buffering=0) as file:
            append_rows(file, rows)
    except OSError as error:
        raise cannot_write(path, error) from None
