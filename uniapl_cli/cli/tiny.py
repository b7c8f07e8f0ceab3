"""uniapl tiny."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session

app = typer.Typer(help="Make the embedded world anew (see make tiny-models).", no_args_is_help=True)


@app.command()
def world(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    train: Annotated[int, typer.Option(help="Training prompts.")] = 1200,
    heldout: Annotated[int, typer.Option(help="Held-out prompts.")] = 256,
    practice: Annotated[int, typer.Option(help="Oracle demonstrations for the models.")] = 4000,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write prompts, oracle demonstrations, the tokenizer and untrained models.

    Example: uniapl tiny world work/recipe/world
    """
    with session(debug):
        from uniapl_cli.tiny.world import write_world

        write_world(out, seed=seed, train=train, heldout=heldout, practice=practice)
        print_result({"out": str(out)}, json)


@app.command()
def halve(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    debug: Debug = False,
) -> None:
    """Copy a model with its weights in half precision.

    Example: uniapl tiny halve work/recipe/teacher/final work/recipe/packed/teacher
    """
    with session(debug):
        from uniapl_cli.tiny.pack import halve as write

        write(model, out)


@app.command()
def pack(
    recipe: Annotated[Path, typer.Argument(help="Folder that the recipe wrote.")],
    out: Annotated[Path, typer.Argument(help="Folder of assets to write.")],
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Gather what the recipe made into the folder that ships, in half precision, with checksums.

    Example: uniapl tiny pack work/recipe uniapl_cli/tiny/assets
    """
    with session(debug):
        from uniapl_cli.tiny.pack import pack as gather

        print_result(gather(recipe, out), json)


@app.command()
def truth(
    rows: Annotated[Path, typer.Argument(help="JSONL of the embedded world's prompts.")],
    out: Annotated[Path, typer.Argument(help="JSONL to write.")],
    as_response: Annotated[
        bool, typer.Option("--as-response", help="In the column response, to be imitated.")
    ] = False,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Copy rows with the oracle's answer in the column `reference`, as ground truth.

    Example: uniapl tiny truth work/tiny/kept.jsonl work/tiny/truth.jsonl
    """
    with session(debug):
        from uniapl_cli.tiny.world import write_truth

        written = write_truth(rows, out, as_response=as_response)
        print_result({"rows": written, "out": str(out)}, json)
