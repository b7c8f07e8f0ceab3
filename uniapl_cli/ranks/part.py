"""What a rank gives where all gather."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uniapl_cli.errors import UniAPLError
from uniapl_cli.runs.signals import Interrupted

# What ranks gather for before the steps and after them.
AROUND = frozenset(
    (
        "the start",
        "opening the run's directory",
        "loading a checkpoint",
        "the reports of earlier steps",
        "saving the model",
        "the end",
    )
)


@dataclass(frozen=True)
class Part:
    """What a rank gives at a gathering. stops: that all are to stop, whatever it gives."""

    doing: str
    value: Any = None
    stops: bool = False
    error: UniAPLError | None = None


class StoppedTogether(Interrupted):
    """Another rank is to stop, and so all do; every rank has heard it at the same gathering."""
