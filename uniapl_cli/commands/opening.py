"""Opens a run's directory, and writes down what is run there."""

from __future__ import annotations

import json
import sys
from functools import partial

from uniapl_cli.commands.inputs import Inputs
from uniapl_cli.commands.run import earlier
from uniapl_cli.config.render import to_yaml
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import safe_arguments
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.environment import environment
from uniapl_cli.verifiers import splitter_name


def open_run(
    run: RunDirectory, config: Config, device: str, inputs: Inputs, ranks: Ranks = ALONE
) -> None:
    """Lock the run directory; write the config and the environment into a new one.

    Of several ranks the first one does, and the others wait for it.
    """
    opened = partial(_open, run, config, device, inputs, ranks.world)
    ranks.of_first(opened, "opening the run's directory")


def _open(run: RunDirectory, config: Config, device: str, inputs: Inputs, processes: int) -> None:
    run.open()
    if not run.config.exists():
        provenance = environment(
            command=safe_arguments(sys.argv[1:], Config),
            seed=config.seed,
            device=device,
            processes=processes,
            sentences=splitter_name(),
        )
        run.write("environment.json", json.dumps(provenance, indent=1) + "\n")
    elif earlier(run).training.steps == config.training.steps:
        return
    if run.finished:
        run.reopen()
    run.write(run.inputs.name, json.dumps(inputs, indent=1) + "\n")
    run.write(run.config.name, to_yaml(config))
