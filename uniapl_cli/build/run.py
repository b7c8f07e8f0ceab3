"""A config's run directory, and what is reported to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from uniapl_cli.build import models
from uniapl_cli.config import schema
from uniapl_cli.config.load import load
from uniapl_cli.config.render import differences, to_yaml
from uniapl_cli.errors import RunError
from uniapl_cli.runs.console import Bar, StopRequest, brief
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.environment import environment
from uniapl_cli.training.health import Health
from uniapl_cli.training.sources import Drawn
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

# What may differ when a run goes on: where and how often it reports, and what decides only how much
# memory a step takes. Other batches may round the last bits otherwise; no more than that.
FREE = (
    "run.",
    "training.micro_batch_size",
    "generation.batch_tokens:",
    "discriminator.batch_tokens:",
    "discriminator.cache_mb:",
)


class Reporter:
    """Writes the loop's figures to the run directory and shows them on the console."""

    def __init__(
        self,
        run: RunDirectory,
        given: schema.Run,
        shown: Bar,
        stop: StopRequest,
        health: Health | None = None,
    ) -> None:
        self.run, self.given, self.shown, self.stop, self.health = run, given, shown, stop, health
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

    def report(self, step: int, metrics: Mapping[str, Any], drawn: Mapping[str, Drawn]) -> None:
        """Log a step."""
        self.last = {"step": step, **metrics}
        if self.health is not None:
            for line in self.health.examine(step, metrics):
                log.info(line)
        if step % self.given.log_every == 0:
            self.run.log(self.last)
        if self.given.sample_every and step % self.given.sample_every == 0:
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


def open_run(run: RunDirectory, config: schema.Config) -> None:
    """Take the run directory, and write down what is run where."""
    run.open()
    if not run.config.exists():
        facts = environment(
            seed=config.seed, device=models.device(config.run), sentences=splitter_name()
        )
        run.write("environment.json", json.dumps(facts, indent=1) + "\n")
        run.write("config.yaml", to_yaml(config))


def check_directory(run: RunDirectory, config: schema.Config) -> None:
    """Refuse a run directory that was made by another config."""
    if run.path.exists() and not run.path.is_dir():
        raise RunError(
            f"cannot write the run directory '{run.path}': it is a file; set another with "
            "run.dir=..."
        )
    if not run.config.exists():
        if run.path.exists() and any(run.path.iterdir()) and not (run.path / ".lock").exists():
            raise RunError(f"'{run.path}' is not empty and holds no run: choose another run.dir")
        return
    before = load(run.config, schema=schema.Config)
    free = (
        *FREE,
        *(f"discriminator.params.{name}:" for name in models.free_params(config)),
    )
    changed = [line for line in differences(before, config) if not line.startswith(free)]
    if changed:
        raise RunError(
            f"'{run.path}' holds a run of another config ({'; '.join(changed[:4])}"
            f"{' ...' if len(changed) > 4 else ''}): set another run.dir, or delete the folder"
        )
