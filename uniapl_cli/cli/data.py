"""uniapl data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import lines, print_result, session

app = typer.Typer(help="Look at data, fetch it, or compose prompts.", no_args_is_help=True)


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


@app.command()
def compose(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Compose prompts of questions and instructions that verifiers check, for training.

    The instructions are IFEval's 25 and IFEvalG's 29, worded anew. One seed gives the same rows.

    Example: uniapl data compose compose.out=prompts.jsonl compose.rows=5000
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        from uniapl_cli.commands.compose import compose as run

        print_result(run(settings, dry_run=dry_run), json)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="benchmarks, training, models, or single names."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Where benchmarks/, models/ ... are made."),
    ] = Path("data"),
    dry_run: DryRun = False,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Fetch benchmarks, the paper's training sets and models, at fixed commits and checked.

    Without a name it lists what there is. A repeated command goes on where it was interrupted.

    Example: uniapl data fetch benchmarks --out data --dry-run
    """
    with session(debug, plugin):
        from uniapl_cli.commands import fetch_data as run
        from uniapl_cli.runs.console import table

        chosen = run.choose(names or ())
        if names and not dry_run:
            result = run.fetch_all(chosen, out)
        else:
            result = run.listing(out if names else None, chosen if names else None)
        title = "What can be fetched" if not names else f"In {out}"
        if names and dry_run:
            title = f"Into {out}: {run.total(result)}"

        def human(_: Mapping[str, Any]) -> Any:
            there = [] if not names else ["there"] if dry_run else ["new"]
            columns = ["name", "group", "files", "size", *there, "licence", "note"]
            return table(title, columns, list(run.shown(result)), figures=False)

        print_result(result, json, human)
