"""A run's reports of each step: to its directory, the console, the health checks, trackers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from uniapl_cli.monitoring.health import Health
from uniapl_cli.monitoring.tracking import Tracking
from uniapl_cli.runs.console import Bar, progress_note
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.options import RunOptions
from uniapl_cli.runs.signals import StopRequest
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
# Of a validation's metrics these are said, where there are any: the ends of their names.
SAID = ("/prompt_strict", "/length", "/loss", "/accuracy", "/overall")


@dataclass(frozen=True)
class Reporter:
    """Writes the loop's metrics to the run directory and shows some of them on the console."""

    run: RunDirectory
    options: RunOptions
    bar: Bar
    stop: StopRequest
    health: Health | None = None
    tracking: Tracking = field(default_factory=Tracking)

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a block in which a signal raises Interrupted at once."""
        return self.stop.interruptible()

    def has_validated(self, step: int) -> bool:
        """Whether the validation of a step has been reported."""
        return any(row["step"] == step for row in self.run.validated())

    def validated(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log what validation has measured of a step, and say it."""
        self.run.log_validation({"step": step, **metrics})
        if self.health is not None:
            self.health.validated(metrics)
        main = [name for name in metrics if name.endswith(SAID)] or list(metrics)
        log.info("validation of step %d: %s", step, progress_note(metrics, main))

    def rewind(self, step: int) -> None:
        """Delete what was logged after `step`, from whose checkpoint training goes on."""
        self.run.rewind(step)
        if step:
            log.info("resuming after step %d", step)
        rows, every = self.run.logged(), self.options.log_every
        if len(rows) < step // every:
            log.warning(
                "%s has %d of the %d lines that run.log_every=%d writes in %d steps; the others "
                "are lost",
                self.run.metrics,
                len(rows),
                step // every,
                every,
                step,
            )
        if self.health is not None:
            self.health.replay(rows, self.run.validated())
        self.tracking.begin(step)
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
        self.tracking.check()
        self.bar.advance(1, progress_note(metrics, SHOWN))
