"""Warnings in plain words while a run is going wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from uniapl_cli.monitoring import (  # noqa: F401  (register)
    rollout_checks,
    update_checks,
    validation_checks,
)
from uniapl_cli.monitoring.check import RunFacts, StepRecord, health_checks
from uniapl_cli.monitoring.history import FIRST, History
from uniapl_cli.monitoring.validation_checks import VALIDATION

# Steps for which a check must have passed before its warning is repeated.
GONE = 20


class Health:
    """Runs every health check at every step; each warns when its trouble begins."""

    def __init__(self, run: RunFacts) -> None:
        self.run = run
        self.history = History()
        self._last_failed: dict[tuple[str, str], int] = {}

    def examine(self, step: int, metrics: Mapping[str, float]) -> list[str]:
        """Return the new warnings, lines that begin with `warning:`.

        Call it once a step, in order; after a resume first with the earlier steps of metrics.jsonl,
        whose warnings were shown before.
        """
        self.history.add(metrics)
        record = StepRecord(metrics, self.history, self.run)
        lines = []
        for name in health_checks:
            for subject, text in health_checks[name].definition(record).items():
                if self._is_new(name, subject, step):
                    lines.append(f"warning: step {step}: {text}")
        return lines

    def validated(self, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a validation, between those of the steps around it.

        The history has them as `validation/NAME`, beside the rewards' means of the steps before.
        """
        rewards = tuple(f"/{name}/mean" for name in self.run.surrogate_terms.values())
        trained = [name for name in self.history.names() if name.endswith(rewards)]
        means = {name: fmean(self.history.newest(name, FIRST)) for name in trained}
        self.history.add({f"{VALIDATION}{n}": v for n, v in {**metrics, **means}.items()})

    def replay(
        self, logged: Sequence[Mapping[str, Any]], validated: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """Examine the lines of metrics.jsonl and of validation.jsonl again; return the warnings."""
        lines, waiting = [], list(validated)
        for row in logged:
            while waiting and waiting[0]["step"] < row["step"]:
                self.validated(waiting.pop(0))
            lines += self.examine(row["step"], row)
        for row in waiting:
            self.validated(row)
        return lines

    def _is_new(self, name: str, subject: str, step: int) -> bool:
        before = self._last_failed.get((name, subject))
        self._last_failed[name, subject] = step
        return before is None or step - before > GONE
