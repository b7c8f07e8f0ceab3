"""uniapl track."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug, Plugins
from uniapl_cli.cli.session import print_result, session

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory (run.dir).")]
To = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="TRACKER",
        help="tensorboard, wandb, trackio; may be given several times. Default: the run's own.",
    ),
]


def track(
    run: Run, to: To = None, json: AsJson = False, plugin: Plugins = None, debug: Debug = False
) -> None:
    """Send a tracker what it has not of a run: metrics, validations, samples, the config.

    Example: uniapl track work/tiny/unified --to tensorboard
    """
    with session(debug, plugin):
        from uniapl_cli.commands.track import track as send

        result: dict[str, Any] = {"run": str(run), "sent to step": send(run, to or ())}
        print_result(result, json)
