"""my_tracker.py: a run as one text file, a line a step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli import TrackedRun, register_tracker


@register_tracker("notebook")
class Notebook:
    """A text file in the run's folder."""

    def __init__(self, *, metric: str = "loss") -> None:
        self.metric = metric

    def start(self, run: TrackedRun, step: int) -> None:
        """Begin, or go on."""
        self.file = (Path(run.folder) / "notebook.txt").open("a")
        self.file.write(f"{run.id} from {step}\n")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note one metric."""
        if self.metric in metrics:
            self.file.write(f"{step} {metrics[self.metric]}\n")

    def samples(self, step: int, source: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note how many there were."""
        self.file.write(f"{step} {source} {len(rows)}\n")

    def flush(self) -> float:
        """Write what is noted: at once."""
        self.file.flush()
        return 0.0

    def finish(self, status: str, step: int) -> None:
        """Note the end."""
        self.file.write(f"{status} {step}\n")
        self.file.close()
