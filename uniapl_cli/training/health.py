"""Tells in plain words what is wrong with a run, while it is running."""

from __future__ import annotations

from collections.abc import Mapping

from uniapl_cli.training import rollout_sicknesses, update_sicknesses  # noqa: F401  (register)
from uniapl_cli.training.history import History
from uniapl_cli.training.sickness import Facts, Seen, sicknesses

# Steps for which a sickness must have been gone before its return is told.
GONE = 20


class Health:
    """Looks at every step's metrics for the known sicknesses, and tells each when it begins."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.history = History()
        self._last_seen: dict[tuple[str, str], int] = {}

    def examine(self, step: int, metrics: Mapping[str, float]) -> list[str]:
        """Return what to tell now: lines that begin with `warning:`.

        Every step is to be shown once and in order; after a resume those before it, from
        metrics.jsonl, whose lines need no telling again.
        """
        self.history.note(metrics)
        seen = Seen(metrics, self.history, self.facts)
        lines = []
        for name in sicknesses:
            for about, text in sicknesses[name].definition(seen).items():
                if self._begins(name, about, step):
                    lines.append(f"warning: step {step}: {text}")
        return lines

    def _begins(self, name: str, about: str, step: int) -> bool:
        before = self._last_seen.get((name, about))
        self._last_seen[name, about] = step
        return before is None or step - before > GONE
