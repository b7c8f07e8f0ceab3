"""uniapl push."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session, tell

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory that has finished.")]
Repo = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The hub's repository.")]
Public = Annotated[bool, typer.Option("--public", help="Make a new repository one for all to see.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")]


def push(
    run: Run,
    repo: Repo,
    public: Public = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Send a run's final model, with its card, to the hub, after asking.

    Example: uniapl push work/tiny/unified me/my-model --dry-run
    """
    with session(debug):
        from uniapl_cli.commands.push import prepare
        from uniapl_cli.commands.push import push as send
        from uniapl_cli.errors import ConfigError

        upload = prepare(run, repo, private=not public)

        def human(_: Any) -> Any:
            """Show what would be sent, a file a row."""
            from uniapl_cli.runs.console import table

            who = "private" if upload.private else "public"
            rows = [[name, f"{size:,}"] for name, size in upload.files.items()]
            title = f"{upload.folder} to {repo} ({who}, if it is new), {upload.size:,} bytes"
            return table(title, ["file", "bytes"], rows)

        if dry_run:
            print_result(upload.plain(), json, human)
            return
        if not yes:
            if not sys.stdin.isatty():
                problem = "there is no terminal to ask on"
                raise ConfigError(problem, "Add --yes to send without asking")
            tell(f"{len(upload.files)} files, {upload.size:,} bytes, to {repo}")
            if not typer.confirm("Send them?", err=True):
                raise typer.Exit(1)
        print_result({**upload.plain(), "commit": send(upload)}, json)
