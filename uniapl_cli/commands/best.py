"""RUN/best: the model that a metric of validation has called the best so far."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.files import is_number
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.runs.directory import is_count
from uniapl_cli.runs.final import damage

log = logging.getLogger("uniapl")

RECORD = "best.json"


@dataclass(frozen=True)
class Best:
    """Keeps the model of the step at which a metric was best; of equal ones the earliest.

    way: whether "higher" or "lower" is better. steps: the run's. save(row, texts) writes the
    present model, measured as `row`, with further files, atomically. ranks: who have it together.

    A folder of a later step than the one that a run goes on from stays: its step comes again, with
    the same value, and a better one between would have been written before it.
    """

    folder: Path
    metric: str
    way: str
    steps: int
    save: Callable[[Mapping[str, Any], Mapping[str, str]], None]
    ranks: Ranks = ALONE

    def consider(self, step: int, row: Mapping[str, Any]) -> None:
        """Save the model of a step if its row of validation is better than all before."""
        value = row.get(self.metric)
        if not is_number(value):
            log.warning("validation of step %d has no %s, so it cannot be best", step, self.metric)
            return
        if self.ranks.of_first(lambda: self._is_best(value), "the best model"):
            record = {"step": step, "metric": self.metric, "value": value, "better": self.way}
            texts = {RECORD: json.dumps(record, indent=1) + "\n"}
            self.save({"step": step, **row}, texts)

    def _is_best(self, value: float) -> bool:
        kept = read_best(self.folder)
        if kept is None or kept["step"] > self.steps:
            return True
        best: float = kept["value"]
        return value > best if self.way == "higher" else value < best


def read_best(folder: Path) -> dict[str, Any] | None:
    """Return the step, the metric and the value of a run's best model; None where none is whole."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        whole = is_number(record["value"]) and isinstance(record["metric"], str)
        whole = whole and is_count(record["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if whole and damage(folder) is None else None
