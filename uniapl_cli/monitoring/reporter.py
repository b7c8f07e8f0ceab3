"""A run's reports of each step: to its directory, to the console, to the health checks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uniapl_cli.monitoring.health import Health
from uniapl_cli.runs.console import Bar, StopRequest, progress_note
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.options import RunOptions
from uniapl_cli.sources import SourceBatch

log = logging.getLogger("uniapl")

SHOWN = (
    "loss",
    "rollouts/verifier/mean",
    "rollouts/anchor/mean",
    "preference/accuracy",
    "ranking/accuracy",
    "grad_norm",
)


@dataclass(frozen=True)
class Reporter:
    """Writes the loop's metrics to the run directory and shows some of them on the console."""

    run: RunDirectory
    options: RunOptions
    bar: Bar
    stop: StopRequest
    health: Health | None = None

    @property
    def stop_requested(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.stop.requested

    def rewind(self, step: int) -> None:
        """Delete what was logged after `step`, from whose checkpoint training goes on."""
        self.run.rewind(step)
        if step:
            log.info("resuming after step %d", step)
        if self.health is not None:
            for row in self.run.logged():
                self.health.examine(row["step"], row)
        self.bar.start(step)

    def report(
        self, step: int, metrics: Mapping[str, Any], drawn: Mapping[str, SourceBatch]
    ) -> None:
        """Log a step, show its main metrics and print the warnings of the health checks."""
        if self.health is not None:
            for line in self.health.examine(step, metrics):
                log.info(line)
        if step % self.options.log_every == 0:
            self.run.log({"step": step, **metrics})
        if self.options.sample_every and step % self.options.sample_every == 0:
            for source, part in drawn.items():
                self.run.sample({"step": step, "source": source, **row} for row in part.samples)
        self.bar.advance(1, progress_note(metrics, SHOWN))
