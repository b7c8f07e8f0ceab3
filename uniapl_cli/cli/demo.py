"""uniapl demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[METHOD]... [KEY=VALUE]...",
        help="What to train by, sft grpo unified if none is named; settings of every step.",
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where everything goes.")]

SHOWN = (
    "greedy/prompt_strict",
    "sampled/prompt_strict",
    "sampled/topic",
    "sampled/score",
    "sampled/length_ratio",
)


def demo(
    words: Words = None, out: Out = Path("work/tiny"), json: AsJson = False, debug: Debug = False
) -> None:
    """Run the whole pipeline on the embedded world; the same command again goes on.

    Example: uniapl demo sft unified --out work/tiny
    """
    with session(debug):
        from uniapl_cli.commands.demo import METHODS
        from uniapl_cli.commands.demo import demo as run
        from uniapl_cli.evaluation.report import compare
        from uniapl_cli.runs.console import table

        overrides = [word for word in words or () if "=" in word]
        methods = [word for word in words or () if "=" not in word]
        result = run(methods or METHODS, out, overrides)

        def human(_: Any) -> Any:
            return table("mean ± standard error", *compare(result["evaluations"], SHOWN))

        print_result(result, json, human)
        for path, content in result["written"].items():
            typer.echo(f"{path}: {content}", err=True)
