"""What a tracker is and what it is told of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from uniapl_cli.errors import ConfigError
from uniapl_cli.options import Options
from uniapl_cli.registry import Registry

Status = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run.

    id: the same each time this run is tracked. config: what config.yaml and environment.json hold,
    without secrets.
    """

    id: str
    name: str
    folder: Path
    tags: Sequence[str]
    config: Mapping[str, Any]


class Tracker(Protocol):
    """Where a run is shown. All calls come from one thread, and may take their time or raise.

    A call that raised is repeated a while later.
    """

    def start(self, run: TrackedRun, step: int) -> None:
        """Begin the run, or go on with the one of this id, from behind `step`."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a step; those of a validation begin with `validation/`."""

    def samples(self, step: int, source: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take what a step sampled from a source: prompts, responses, rewards."""

    def flush(self) -> float:
        """Write what is waiting; return in how many seconds what was taken outlives a kill."""

    def finish(self, status: Status, step: int) -> None:
        """End the run at a step. A stopped one may go on later."""


# (*, options) -> Tracker, in the main thread before the first step; raises UniAPLError. Traits:
# `package` is what it imports, by the extra of the tracker's name; one that `rewinds` takes back
# what it has of the steps behind the one that it starts at.
trackers: Registry[Callable[..., Tracker]] = Registry("tracker")


def require(chosen: Iterable[Options]) -> None:
    """Raise ConfigError for a tracker whose package is not installed."""
    for options in chosen:
        entry = trackers.entry(options)
        package = entry.traits.get("package")
        if package is not None and find_spec(package) is None:
            raise ConfigError(
                f"the tracker '{entry.name}' needs the {package} package",
                f"Type: pip install 'uniapl[{entry.name}]'",
                got=entry.name,
            )


def cell(value: Any) -> float | str | None:
    """Return a value as a table's cell: numbers and texts stay, what is nested becomes JSON."""
    import json

    if value is None or isinstance(value, int | float | str):
        return value
    return json.dumps(value, ensure_ascii=False)


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of all rows' values, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))
