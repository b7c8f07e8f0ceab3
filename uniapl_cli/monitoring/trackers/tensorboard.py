"""TensorBoard: event files in RUN/tensorboard, which `tensorboard --logdir` shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.monitoring.trackers.tracker import Status, TrackedRun, cell, trackers

FOLDER = "tensorboard"
# A page of text is for reading; all rows are in samples.jsonl.
SHOWN_ROWS = 8


@trackers.register("tensorboard", package="tensorboard", rewinds=True)
class TensorBoard:
    """Event files in RUN/tensorboard. Needs uniapl[tensorboard]."""

    def __init__(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.make = SummaryWriter
        self.writer: Any = None

    def start(self, run: TrackedRun, step: int) -> None:
        """Open an event file; those before it lose what they have behind `step`."""
        self.writer = self.make(str(run.folder / FOLDER), purge_step=step + 1)
        text = json.dumps(run.config, indent=1, ensure_ascii=False)
        self.writer.add_text("config", f"{', '.join(run.tags)}\n\n{_verbatim(text)}", step)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write a scalar a metric."""
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)

    def samples(self, step: int, source: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the first rows as one text."""
        text = "\n\n---\n\n".join(_shown(row) for row in rows[:SHOWN_ROWS])
        self.writer.add_text(f"samples/{source}", text, step)

    def flush(self) -> float:
        """Write what is waiting."""
        self.writer.flush()
        return 0.0

    def finish(self, status: Status, step: int) -> None:
        """Write how the run ended."""
        self.writer.add_text("status", f"{status} at step {step}", step)
        self.writer.close()


def _shown(row: Mapping[str, Any]) -> str:
    return "\n\n".join(f"**{name}**\n\n{_verbatim(str(cell(v)))}" for name, v in row.items())


def _verbatim(text: str) -> str:
    """Return a text that Markdown shows as it is, whatever marks it has."""
    return "\n".join(f"    {line}" for line in text.splitlines())
