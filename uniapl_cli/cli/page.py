"""uniapl page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session, tell

Folder = Annotated[
    Path,
    typer.Argument(help="With runs, evaluations and analyses, in it or below it."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.html", help="Where it goes; FOLDER/page.html otherwise."),
]
Number = Annotated[
    int | None,
    typer.Option("--table", metavar="N", help="The paper's table N, 2 to 12, beside the results."),
]
Title = Annotated[
    str | None, typer.Option("--title", help="Its heading; the folder's name otherwise.")
]
Prompts = Annotated[
    int,
    typer.Option(
        "--prompts",
        metavar="N",
        min=1,
        help="At most so many prompts of each benchmark and draw are on it.",
    ),
]


def page(
    folder: Folder,
    out: Out = None,
    table: Number = None,
    title: Title = None,
    prompts: Prompts = 600,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Put a study on one HTML page: tables, figures, samples side by side, configs.

    The file needs nothing beside it, and works offline.

    Example: uniapl page work/tiny --title "The embedded world"
    """
    with session(debug):
        from uniapl_cli.commands.page import page as make
        from uniapl_cli.outputs import find_output

        result = make(folder, out, table=table, title=title, prompts=prompts)
        for said in result["left_out"]:
            tell(said)
        if json:
            print_result(result, json)
        else:
            # Where the page itself is printed, its path is not part of it.
            typer.echo(result["page"], err=find_output(result["page"]).stream)
