"""uniapl config."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session

app = typer.Typer(
    help="Show or check an experiment's merged config, without loading a model.",
    no_args_is_help=True,
)
Method = Annotated[
    str | None, typer.Option("--method", "-m", help="The method whose equation lies below it.")
]


@app.command()
def show(
    overrides: Overrides = None,
    config: ConfigFile = None,
    method: Method = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Print the merged config as YAML.

    Example: uniapl config show --method unified --config tiny:unified
    """
    with session(debug, plugin):
        from uniapl_cli.config.render import to_yaml

        typer.echo(to_yaml(uniapl_cli.load_config(config, overrides or (), method)), nl=False)


@app.command()
def check(
    overrides: Overrides = None,
    config: ConfigFile = None,
    method: Method = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Check keys, types, bounds, names, terms, schedules and rewards.

    Example: uniapl config check --method grpo --config tiny:grpo
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or (), method)
        result: dict[str, Any] = {"config": str(config) if config else "(defaults)", "ok": True}
        if settings.terms or method is not None:
            from uniapl_cli.commands.method import check_method

            result.update(check_method(settings))
        print_result(result, json)


@app.command()
def keys(
    section: Annotated[
        str | None, typer.Argument(help="Only the keys of a section: optim, terms ...")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print it as documentation.")
    ] = False,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List every key with its type, default and meaning.

    Example: uniapl config keys optim
    """
    with session(debug, plugin):
        from uniapl_cli.config import reference
        from uniapl_cli.config.schema import Config
        from uniapl_cli.runs.console import table

        if markdown:
            typer.echo(reference.markdown(Config), nl=False)
            return
        listed = reference.below(Config, section)

        def human(_: Any) -> Any:
            columns = ["key", "kind", "type", "default", "meaning"]
            return table(
                "Keys of an experiment file", columns, reference.rows(listed), figures=False
            )

        print_result({"keys": [key._asdict() for key in listed]}, json, human)
