"""A run's directory.

config.yaml       the resolved config
inputs.json       digests of the data, the template and the models that were read
environment.json  versions, commit, machine
metrics.jsonl     a line a logged step
samples.jsonl     rollouts with their rewards
checkpoints/      the state to resume from
final/            the trained model; it exists only when the run has finished
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from uniapl_cli.errors import RunError
from uniapl_cli.files import dump, replacing

VERSION = 2  # of the lines of metrics.jsonl


class RunDirectory:
    """The directory that a run writes; one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.inputs = path / "inputs.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples.jsonl"
        self.checkpoints = path / "checkpoints"
        self.final = path / "final"

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end."""
        return self.final.is_dir()

    @property
    def has_state(self) -> bool:
        """Whether there is something to go on from: a checkpoint, or the final model."""
        return self.finished or any(self.checkpoints.glob("step-*"))

    @property
    def newest_step(self) -> int:
        """The step of the newest checkpoint; 0 where there is none."""
        names = [path.name.removeprefix("step-") for path in self.checkpoints.glob("step-*")]
        return max((int(name) for name in names if name.isdigit()), default=0)

    def reopen(self) -> None:
        """Make a finished run an unfinished one, which goes on to more steps."""
        aside = self.path / ".final.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        self.final.rename(aside)
        shutil.rmtree(aside)

    def open(self) -> None:
        """Create the directory and lock it until the process ends. Raises RunError."""
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
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another process is training into '{self.path}'",
                "Wait for it, or set run.dir",
                key="run.dir",
                got=str(self.path),
            ) from None

    def write(self, name: str, text: str) -> None:
        """Write one of the small files atomically."""
        with replacing(self.path / name) as file:
            file.write(text)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a line of metrics."""
        _append(self.metrics, [{"version": VERSION, **row}])

    def logged(self) -> list[dict[str, Any]]:
        """Return the lines of metrics in order. Raises RunError for lines of another version."""
        if not self.metrics.exists():
            return []
        with self.metrics.open(encoding="utf-8") as file:
            return [self._row(number, json.loads(line)) for number, line in enumerate(file, 1)]

    def _row(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        version = row.pop("version", None)
        if version != VERSION:
            raise RunError(
                f"the line is of version {version or 1}, and this uniapl reads {VERSION}",
                "Set another run.dir, or delete the folder",
                where=f"{self.metrics}:{number}",
                key="run.dir",
                got=version,
                allowed=[str(VERSION)],
            )
        return row

    def sample(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rollouts."""
        _append(self.samples, rows)

    def rewind(self, step: int) -> None:
        """Delete the lines of steps after `step`, and a last line cut off by a kill."""
        for path in (self.metrics, self.samples):
            if path.exists():
                # Bytes: text lines also end at U+2028, and a kill may cut a character in two.
                with path.open("rb") as before, replacing(path) as file:
                    file.writelines(line.decode() for line in before if _upto(line, step))


def _upto(line: bytes, step: int) -> bool:
    with suppress(ValueError):
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    return False


def _append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(map(dump, rows)))
