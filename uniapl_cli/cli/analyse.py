"""uniapl analyse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session

app = typer.Typer(help="Look at responses of several models beside the teacher's.")


@app.command()
def lengths(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Compare the lengths of models' responses with the teacher's: distances with intervals.

    The models answer the prompts of analyse.data, whose rows have the teacher's responses. What
    they answer is kept in analyse.out, for the other analyses too; a repeated command goes on.

    Example: uniapl analyse lengths --config tiny:analyse analyse.out=work/tiny/analysis
    """
    _run("lengths", overrides, config, json, plugin, debug, dry_run)


@app.command()
def logprobs(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Compare how likely models find responses with how likely the teacher finds them.

    The responses are those of the rows, or with analyse.responses=models each model's own.

    Example: uniapl analyse logprobs --config tiny:analyse analyse.out=work/tiny/analysis
    """
    _run("logprobs", overrides, config, json, plugin, debug, dry_run)


@app.command()
def agreement(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Tell whether the discriminator's score knows which responses pass their verifiers.

    Example: uniapl analyse agreement --config tiny:analyse analyse.out=work/tiny/analysis
    """
    _run("agreement", overrides, config, json, plugin, debug, dry_run)


def _run(
    kind: str,
    overrides: Any,
    config: Any,
    json: bool,
    plugin: Any,
    debug: bool,
    dry_run: bool,
) -> None:
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        from uniapl_cli.commands.analyse import analyse

        result = analyse(settings, kind, dry_run=dry_run)
        print_result(result, json, None if dry_run else _table)


def _table(result: Mapping[str, Any]) -> Any:
    from rich.console import Group
    from rich.text import Text

    from uniapl_cli.analysis import report
    from uniapl_cli.runs.console import table

    title = f"{report.title(result)} -> {result['out']}"
    return Group(table(title, *report.grid(result)), *map(Text, report.words(result)))
