"""uniapl serve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session

Role = Annotated[
    str, typer.Argument(metavar="[MODEL]", help="policy (the default), discriminator or teacher.")
]
Run = Annotated[bool, typer.Option("--run", help="Start the server; Ctrl-C ends it.")]
Host = Annotated[
    str, typer.Option("--host", help="Where it listens; others than this machine may mean harm.")
]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Where it listens.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="For a model that vLLM does not take as it is; default: work/served/MODEL.",
    ),
]
Vllm = Annotated[str, typer.Option("--vllm", metavar="PATH", help="The command of a vLLM.")]
More = Annotated[
    str,
    typer.Option("--vllm-args", metavar="WORDS", help="Further words of vLLM's command."),
]


def serve(
    role: Role = "policy",
    overrides: Overrides = None,
    config: ConfigFile = None,
    run: Run = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    folder: Folder = None,
    vllm: Vllm = "vllm",
    vllm_args: More = "",
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Print, or run, the vLLM server of a model of an experiment; prepare the folder it needs.

    Example: uniapl serve policy --config tiny:unified model.path=tiny:teacher --port 8001
    """
    with session(debug, plugin):
        import shlex

        from uniapl_cli.commands.serve import Start
        from uniapl_cli.commands.serve import serve as prepare
        from uniapl_cli.errors import ConfigError
        from uniapl_cli.serving.process import find_program
        from uniapl_cli.serving.process import run as start

        if "=" in role:  # the model may be left out
            role, overrides = "policy", [role, *(overrides or ())]
        settings = uniapl_cli.load_config(config, overrides or ())
        program = find_program(vllm) if run and not dry_run else vllm
        try:
            more = shlex.split(vllm_args)
        except ValueError as error:
            raise ConfigError(f"--vllm-args: {error}", "Close its quotes", got=vllm_args) from None
        at = Start(program, host, port, folder, more)
        ready = prepare(settings, role, at, dry_run=dry_run)
        print_result(ready.result, json, shown)
        if run and not dry_run:
            start(ready.words, ready.environment)


def shown(result: Mapping[str, Any]) -> Any:
    """Return how the server is started, and what to set to use it, as they are printed."""
    from rich.text import Text

    return Text(f"{result['command']}\n\nset: {result['set']}", overflow="ignore", no_wrap=True)
