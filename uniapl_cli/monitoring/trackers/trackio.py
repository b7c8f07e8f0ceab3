"""Trackio: a database on this machine, or a Space of the hub, which `trackio show` shows."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.monitoring.trackers.tracker import Status, TrackedRun, cell, columns, trackers

# It writes twice a second, in a thread of its own.
WRITTEN = 2.0


@trackers.register("trackio", package="trackio")
class Trackio:
    """A run in trackio's database on this machine. Needs uniapl[trackio].

    TRACKIO_DIR says where the database is; with TRACKIO_SPACE_ID it is a Space of the hub.
    """

    def __init__(self, *, project: str = "uniapl") -> None:
        self.trackio = importlib.import_module("trackio")
        self.project = project
        self.run: Any = None
        # It prints to stdout, where our results go.
        for module in ("trackio", "trackio.run", "trackio.utils"):
            vars(importlib.import_module(module))["print"] = _say_nothing

    def start(self, run: TrackedRun, step: int) -> None:
        """Begin the run, or go on with the one of this name, which has a part of the id."""
        self.run = self.trackio.init(
            self.project,
            name=f"{run.name}-{run.id[:6]}",
            config=dict(run.config),
            resume="allow",
            embed=False,
        )

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of a step."""
        self.run.log(dict(metrics), step=step)

    def samples(self, step: int, source: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Log the rows as a table of this step."""
        names = columns(rows)
        cells = [[cell(row.get(name)) for name in names] for row in rows]
        table = self.trackio.Table(columns=names, data=cells)
        self.run.log({f"samples/{source}": table}, step=step)

    def flush(self) -> float:
        """Leave it to the other thread, or to its server."""
        return WRITTEN

    def finish(self, status: Status, step: int) -> None:
        """Say how the run ended, and write what is left."""
        levels = self.trackio.AlertLevel
        level = levels.INFO if status == "finished" else levels.WARN
        self.run.alert(status, f"{status} at step {step}", level=level, step=step)
        self.run.finish()


def _say_nothing(*_: Any, **__: Any) -> None:
    """Stand in for print."""
