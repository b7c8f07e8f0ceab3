"""Weights & Biases: online, or with WANDB_MODE=offline in RUN/wandb, for `wandb sync`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.errors import ConfigError
from uniapl_cli.monitoring.trackers.tracker import Status, TrackedRun, cell, columns, trackers

# The codes of a process that ended well, by SIGTERM, or by an error.
EXIT_CODES: Mapping[Status, int] = {"finished": 0, "stopped": 143, "failed": 1}
# Seconds that the end of a run may take to upload what is left; the rest is for `wandb sync`.
UPLOAD = 55.0
# Seconds between writes of rows to the disk, and within which they usually are with the server.
TO_DISK, TO_SERVER = 1.0, 30.0


@trackers.register("wandb", package="wandb")
class WeightsAndBiases:
    """A run of Weights & Biases; the key and the mode are the environment's. Needs uniapl[wandb].

    null takes `project` from WANDB_PROJECT, else it is uniapl; `entity` is the account's own.
    """

    def __init__(self, *, project: str | None = None, entity: str | None = None) -> None:
        import wandb

        self.wandb, self.project, self.entity = wandb, project, entity
        self.run: Any = None
        settings = wandb.setup(wandb.Settings(silent=True)).settings
        self.online = settings.mode not in ("offline", "disabled")
        if self.online and not _has_key(settings):
            raise ConfigError(
                "wandb has no API key",
                "Type `wandb login`, or set WANDB_API_KEY, or WANDB_MODE=offline",
            )

    def start(self, run: TrackedRun, step: int) -> None:
        """Begin the run, or go on with it.

        The command line and the machine are not taken from the process: they may hold secrets.
        """
        if self.online:
            self.wandb.login(prompt=False)  # raises where the key is wrong, or no one answers
        settings = self.wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            x_disable_machine_info=True,
            host="",
            x_transaction_log_flush_interval=TO_DISK,
            finish_timeout=UPLOAD,
            finish_timeout_raises=True,
        )
        self.run = self.wandb.init(
            project=self.project or self.wandb.setup().settings.project or "uniapl",
            entity=self.entity,
            id=run.id,
            name=run.name,
            dir=str(run.folder),
            tags=list(run.tags),
            config=dict(run.config),
            resume="allow",
            settings=settings,
        )
        # An axis of its own: wandb's counter drops rows that come late, such as a validation's.
        self.run.define_metric("step", hidden=True)
        self.run.define_metric("*", step_metric="step")
        self.run.summary["status"] = "running"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics as a row."""
        self.run.log({"step": step, **metrics})

    def samples(self, step: int, source: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Log the rows as a table of this step."""
        names = columns(rows)
        cells = [[cell(row.get(name)) for name in names] for row in rows]
        table = self.wandb.Table(columns=names, data=cells, allow_mixed_types=True)
        self.run.log({"step": step, f"samples/{source}": table})

    def flush(self) -> float:
        """Leave it to wandb's own process, which ends at once where this one is killed."""
        return TO_SERVER if self.online else 2 * TO_DISK

    def finish(self, status: Status, step: int) -> None:
        """Say how the run ended, and upload what is left."""
        self.run.summary["status"] = status
        self.run.finish(exit_code=EXIT_CODES[status])


def _has_key(settings: Any) -> bool:
    """Whether wandb would find a key, or a token: in the environment, its settings, or .netrc."""
    from requests.utils import get_netrc_auth

    own = settings.api_key or settings.identity_token_file
    return bool(own or get_netrc_auth(settings.base_url))
