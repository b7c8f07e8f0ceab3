"""Warnings in plain words while a run is going wrong."""

from __future__ import annotations

from collections.abc import Mapping

from uniapl_cli.monitoring import rollout_checks, update_checks  # noqa: F401  (register)
from uniapl_cli.monitoring.check import RunFacts, StepRecord, health_checks
from uniapl_cli.monitoring.history import History

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

    def _is_new(self, name: str, subject: str, step: int) -> bool:
        before = self._last_failed.get((name, subject))
        self._last_failed[name, subject] = step
        return before is None or step - before > GONE
