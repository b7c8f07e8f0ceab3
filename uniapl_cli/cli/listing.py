"""uniapl list."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug, Plugins
from uniapl_cli.cli.session import print_result, session

Kind = Annotated[
    str | None, typer.Argument(help="objectives, verifiers, rewards ...; all without it.")
]


def listing(
    kind: Kind = None, json: AsJson = False, plugin: Plugins = None, debug: Debug = False
) -> None:
    """List what a config may name: objectives, rewards, advantages, verifiers ...

    Example: uniapl list objectives
    """
    with session(debug, plugin):
        from uniapl_cli.commands.listing import catalogue
        from uniapl_cli.runs.console import table

        kinds = catalogue(kind)
        rows = [
            [kind, item["name"], item["takes"], item["does"]]
            for kind, items in kinds.items()
            for item in items
        ]

        def human(_: Any) -> Any:
            return table(
                "What a config may name", ["kind", "name", "takes", "does"], rows, figures=False
            )

        print_result(kinds, json, human)
