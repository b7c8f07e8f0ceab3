"""uniapl list."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug, Plugins
from uniapl_cli.cli.session import print_result, session

Kind = Annotated[
    str | None, typer.Argument(help="methods, objectives, verifiers ...; all without it.")
]


def listing(
    kind: Kind = None, json: AsJson = False, plugin: Plugins = None, debug: Debug = False
) -> None:
    """List what a config may name: methods, objectives, rewards, advantages, verifiers ...

    Example: uniapl list methods
    """
    with session(debug, plugin):
        from uniapl_cli.commands.listing import catalogue, columns
        from uniapl_cli.runs.console import table

        kinds = catalogue(kind)
        head, rows = columns(kinds)

        def human(_: Any) -> Any:
            return table("What a config may name", head, rows, figures=False)

        print_result(kinds, json, human)
