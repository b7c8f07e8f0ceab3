"""uniapl status: how far a run is, read from its directory while another process writes it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from uniapl_cli.commands.best import read_best
from uniapl_cli.commands.facts import run_facts
from uniapl_cli.commands.method import length, plan
from uniapl_cli.commands.run import earlier, known_run
from uniapl_cli.commands.validation import times
from uniapl_cli.config.schema import Config
from uniapl_cli.files import is_number
from uniapl_cli.monitoring.health import Health
from uniapl_cli.runs.directory import RunDirectory

State = Literal["running", "stopped", "finished", "damaged"]

# Logged steps whose mean duration is taken for the time that is left.
RECENT = 20
# A warning's subject is examined at each step; so many of the newest are shown.
SHOWN_WARNINGS = 5


@dataclass(frozen=True)
class Status:
    """How far a run is.

    seconds_a_step: the mean of the newest steps, without checkpoints; None before the first. quiet:
    seconds since the last line was logged. checkpoint: the step that a resume goes on from; 0 is
    the start. last: the metrics of the newest line. validation: the newest one's. best: the step,
    the metric and the value of the best model; None without one.
    """

    run: str
    method: str | None
    state: State
    step: int
    steps: int
    seconds_a_step: float | None
    seconds_left: float | None
    quiet: float | None
    checkpoint: int
    warnings: Sequence[str]
    last: Mapping[str, Any]
    validation: Mapping[str, Any]
    best: Mapping[str, Any] | None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, without figures that are no numbers any more."""
        rows = {"last": self.last, "validation": self.validation}
        known = {name: {k: v for k, v in row.items() if is_number(v)} for name, row in rows.items()}
        return {**asdict(self), **known}


def status(path: Path, now: float | None = None) -> Status:
    """Return the status of the run in a directory. `now`: seconds since the epoch.

    Nothing is written, and the run's lock is not taken. Raises RunError for what is no run.
    """
    run = known_run(path)
    config, rows, validated = earlier(run), run.logged(), run.validated()
    state, step = _state(run), rows[-1]["step"] if rows else 0
    pace = _pace(rows)
    left = None
    if pace is not None and state == "running":
        left = pace * (length(config) - step) + _measuring(config, validated)
    quiet = None
    if rows:
        # The clock of a file's server may be ahead.
        quiet = max(0.0, (time.time() if now is None else now) - run.metrics.stat().st_mtime)
    return Status(
        run=str(path),
        method=config.method,
        state=state,
        step=step,
        steps=length(config),
        seconds_a_step=pace,
        seconds_left=left,
        quiet=quiet,
        checkpoint=run.newest_step,
        warnings=_warnings(config, rows, validated),
        last=rows[-1] if rows else {},
        validation=validated[-1] if validated else {},
        best=read_best(run.best),
    )


def _state(run: RunDirectory) -> State:
    if run.damage is not None:
        return "damaged"
    if run.locked:
        return "running"
    return "finished" if run.finished else "stopped"


def _pace(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the mean seconds of the newest steps; None where none has its times."""
    times = ((row.get("seconds/sources"), row.get("seconds/update")) for row in rows[-RECENT:])
    newest = [a + b for a, b in times if is_number(a) and is_number(b)]
    return fmean(newest) if newest else None


def _measuring(config: Config, validated: Sequence[Mapping[str, Any]]) -> float:
    """Return the seconds of the validations that are to come, each taken to be as the newest."""
    newest = validated[-1].get("seconds") if validated else None
    return newest * max(0, times(config) - len(validated)) if is_number(newest) else 0.0


def _warnings(
    config: Config, rows: Sequence[Mapping[str, Any]], validated: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return the health checks' newest warnings, found again in the lines."""
    if not config.run.health:
        return []
    health = Health(run_facts(config, plan(config), config.run.device))
    lines = health.replay(rows, validated)
    return [line.removeprefix("warning: ") for line in lines][-SHOWN_WARNINGS:]
