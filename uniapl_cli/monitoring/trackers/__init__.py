"""Programs that show runs beside each other; each gets what the run's own files hold."""

from uniapl_cli.monitoring.trackers import tensorboard, trackio, wandb
from uniapl_cli.monitoring.trackers.tracker import Status, TrackedRun, Tracker, require, trackers

__all__ = [
    "Status",
    "TrackedRun",
    "Tracker",
    "require",
    "tensorboard",
    "trackers",
    "trackio",
    "wandb",
]
