"""A run's reports where several ranks train: the first one writes them, and all stop together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from uniapl_cli.errors import ServerError
from uniapl_cli.monitoring.reporter import Reporter
from uniapl_cli.ranks import Ranks
from uniapl_cli.runs.signals import Interrupted, StopRequest
from uniapl_cli.sources import SourceBatch


@dataclass(frozen=True)
class RankedReporter:
    """What the loop reports to on every rank. inner: the run's own, which the first one uses."""

    ranks: Ranks
    stop: StopRequest
    inner: Reporter

    def rewind(self, step: int) -> None:
        """Delete the reports of steps after `step`: those steps are run again."""
        if self.ranks.first:
            self.inner.rewind(step)
        self.ranks.step = step
        self.ranks.gather(None, "the reports of earlier steps")

    def report(
        self, step: int, metrics: Mapping[str, Any], drawn: Mapping[str, SourceBatch]
    ) -> None:
        """Record a finished step: the memory is that of the rank that took most."""
        held = self.ranks.gather(metrics["memory_gib"], "the report")
        if self.ranks.first:
            self.inner.report(step, {**metrics, "memory_gib": max(held)}, drawn)
        self.ranks.step = step

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise in the block, on all ranks, what a signal or a server that is away does to one.

        A signal that comes when all have drawn counts at the next step, on all of them.
        """
        began = self.ranks.agreed
        try:
            with self.ranks.breaking(self.stop):
                yield
        except (Interrupted, ServerError) as stop:
            if self.ranks.agreed == began:  # else another rank has said so
                self.ranks.stop(stop if isinstance(stop, ServerError) else None)
            raise
        self.ranks.gather(None, "the batches")

    def has_validated(self, step: int) -> bool:
        """Whether the validation of a step has been reported."""
        return self.ranks.of_first(lambda: self.inner.has_validated(step), "the validation")

    def validated(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log what validation has measured of a step, and say it."""
        if self.ranks.first:
            self.inner.validated(step, metrics)
