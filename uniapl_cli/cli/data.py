"""uniapl data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, Overrides, Plugins
from uniapl_cli.cli.session import lines, print_result, session

app = typer.Typer(help="Look at data.", no_args_is_help=True)


@app.command()
def inspect(
    file: Annotated[str, typer.Argument(help="A file, a folder that datasets saved, a hub name.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Count rows, lengths in tokens and constraints, and show one example as the model reads it.

    Example: uniapl data inspect tiny:train model.path=tiny:base
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        from uniapl_cli.commands.inspect_data import inspect as run

        result, example = run(settings, file)

        def human(_: Mapping[str, Any]) -> Any:
            """Show the counts, and the first row with its loss coloured."""
            from rich.console import Group
            from rich.text import Text

            return Group(
                Text(lines(result)), Text("\nthe first row; what carries loss is green:"), example
            )

        print_result(result, json, human)
