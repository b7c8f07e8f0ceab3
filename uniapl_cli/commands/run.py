"""A config's run directory, and what is reported to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from uniapl_cli.config.load import VERSION, load
from uniapl_cli.config.render import differences, to_yaml
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import RunError
from uniapl_cli.files import can_write
from uniapl_cli.runs.console import Bar, StopRequest, brief
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.environment import environment
from uniapl_cli.runs.options import RunOptions
from uniapl_cli.sources import SourceBatch
from uniapl_cli.training.health import Health
from uniapl_cli.verifiers import splitter_name

log = logging.getLogger("uniapl")

SHOWN = (
    "loss",
    "rollouts/verifier/mean",
    "rollouts/anchor/mean",
    "preference/accuracy",
    "ranking/accuracy",
    "grad_norm",
)


class Reporter:
    """Writes the loop's figures to the run directory and shows them on the console."""

    def __init__(
        self,
        run: RunDirectory,
        options: RunOptions,
        shown: Bar,
        stop: StopRequest,
        health: Health | None = None,
    ) -> None:
        self.run, self.options, self.shown, self.stop, self.health = (
            run,
            options,
            shown,
            stop,
            health,
        )
        self.last: dict[str, Any] = {}

    @property
    def stop_asked(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.stop.asked

    def rewind(self, step: int) -> None:
        """Forget what was logged after the checkpoint that training goes on from."""
        self.run.rewind(step)
        if step:
            log.info("resuming after step %d", step)
        if self.health is not None:
            for row in self.run.logged():
                self.health.examine(row["step"], row)
        self.shown.start(step)

    def report(
        self, step: int, metrics: Mapping[str, Any], drawn: Mapping[str, SourceBatch]
    ) -> None:
        """Log a step."""
        self.last = {"step": step, **metrics}
        if self.health is not None:
            for line in self.health.examine(step, metrics):
                log.info(line)
        if step % self.options.log_every == 0:
            self.run.log(self.last)
        if self.options.sample_every and step % self.options.sample_every == 0:
            for source, part in drawn.items():
                self.run.sample({"step": step, "source": source, **row} for row in part.samples)
        self.shown.advance(1, brief(metrics, SHOWN))


def finished(run: RunDirectory) -> dict[str, Any]:
    """Return what a finished run has to show."""
    rows = run.logged()
    return {
        "final": str(run.final),
        "metrics": str(run.metrics),
        "last": rows[-1] if rows else {},
    }


def open_run(run: RunDirectory, config: Config, device: str) -> None:
    """Take the run directory, and write down what is run where."""
    run.open()
    if not run.config.exists():
        facts = environment(seed=config.seed, device=device, sentences=splitter_name())
        run.write("environment.json", json.dumps(facts, indent=1) + "\n")
        run.write("config.yaml", to_yaml(config))


def check_directory(run: RunDirectory, config: Config) -> None:
    """Refuse a run directory that was made by another config, or by another version of uniapl."""
    where, key = config.origin("run.dir"), "run.dir"
    if run.path.exists() and not run.path.is_dir():
        raise RunError(
            f"cannot write the run directory '{run.path}': it is a file",
            "Set another with run.dir=...",
            where=where,
            key=key,
        )
    if not run.config.exists():
        if run.path.exists() and any(run.path.iterdir()) and not (run.path / ".lock").exists():
            raise RunError(
                f"'{run.path}' is not empty and holds no run",
                "Choose another run.dir",
                where=where,
                key=key,
            )
        with config.blaming(key):
            can_write(run.path)
        return
    if not run.config.read_text(encoding="utf-8").startswith("version:"):
        raise RunError(
            f"'{run.path}' holds a run of an older version of uniapl (its config.yaml names no "
            f"version, this one writes {VERSION})",
            "Finish it with that version, or set another run.dir",
            where=where,
            key=key,
        )
    before = load(run.config, schema=Config)
    names = {*before.sources, *config.sources}
    changed = differences(before.with_sources(names), config.with_sources(names))
    if changed:
        more = " ..." if len(changed) > 4 else ""
        raise RunError(
            f"'{run.path}' holds a run of another config ({'; '.join(changed[:4])}{more})",
            "Set another run.dir, or delete the folder",
            where=where,
            key=key,
            got=changed,
        )
