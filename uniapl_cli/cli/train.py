"""uniapl train."""

from __future__ import annotations

from typing import Annotated

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session
from uniapl_cli.config.methods import packaged

Method = Annotated[
    str,
    typer.Argument(metavar="METHOD", help=f"{', '.join(packaged())}, or a method's YAML file."),
]


def train(
    method: Method,
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Train a policy; the same command again resumes it.

    Example: uniapl train unified --config tiny:unified optim.lr=0.001
    """
    with session(debug, plugin, several=True) as ranks:
        settings = uniapl_cli.load_config(config, overrides or (), method)
        result = uniapl_cli.train(settings, dry_run=dry_run, ranks=ranks)
        if ranks.first:
            print_result(result, json)
