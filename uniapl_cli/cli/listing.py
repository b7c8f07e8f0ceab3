"""uniapl list."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug, Plugins
from uniapl_cli.cli.session import print_result, session
from uniapl_cli.errors import UniAPLError

Kind = Annotated[
    str | None, typer.Argument(help="methods, objectives, verifiers ...; all without it.")
]


def listing(
    kind: Kind = None,
    json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the methods as documentation.")
    ] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List what a config may name: methods, objectives, rewards, advantages, verifiers ...

    Example: uniapl list methods
    """
    with session(debug, plugin):
        from uniapl_cli.commands.list_methods import page
        from uniapl_cli.commands.listing import catalogue, columns
        from uniapl_cli.runs.console import table

        if markdown:
            if kind != "methods":
                problem = f"--markdown is of the methods, not of '{kind or 'all'}'"
                raise UniAPLError(problem, "Type: uniapl list methods --markdown")
            typer.echo(page(), nl=False)
            return
        kinds = catalogue(kind)
        head, rows = columns(kinds)

        def human(_: Any) -> Any:
            title = "Packaged methods" if kind == "methods" else "What a config may name"
            return table(title, head, rows, figures=False)

        print_result(kinds, json, human)
