"""uniapl setup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uniapl_cli.cli.options import Debug
from uniapl_cli.cli.session import session


def setup(
    what: Annotated[str, typer.Argument(help="nltk: its English sentences, stop words and tags.")],
    target: Annotated[
        Path, typer.Option("--to", help="Folder to download to; name it in NLTK_DATA later.")
    ] = Path("~/nltk_data"),
    debug: Debug = False,
) -> None:
    """Download what cannot be shipped.

    Example: uniapl setup nltk
    """
    with session(debug):
        from uniapl_cli.errors import unknown
        from uniapl_cli.verifiers import download

        if what != "nltk":
            raise unknown("thing to set up", what, ["nltk"])
        folder = target.expanduser()
        download(folder)
        typer.echo(str(folder))
