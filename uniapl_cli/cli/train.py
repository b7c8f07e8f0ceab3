"""uniapl train."""

from __future__ import annotations

from typing import Annotated

import typer

from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import packaged, print_result, read_config, session

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

    Example: uniapl train unified --config experiments/tiny/unified.yaml optim.lr=0.001
    """
    with session(debug, plugin):
        settings = read_config(config, overrides, method)
        from uniapl_cli.commands.train import train as run

        print_result(run(settings, dry_run=dry_run), json)
