"""uniapl compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug, Plugins
from uniapl_cli.cli.session import print_result, session

First = Annotated[Path, typer.Argument(metavar="A", help="A folder that eval wrote.")]
Second = Annotated[Path, typer.Argument(metavar="B", help="Another, of the same benchmarks.")]


Metric = Annotated[
    str | None,
    typer.Option(
        "--metric", help="Another than each benchmark's main metric, such as inst_strict."
    ),
]


def compare(
    first: First,
    second: Second,
    metric: Metric = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Compare two evaluations, B less A, on the same prompts: paired differences with intervals.

    Example: uniapl compare work/eval/sft work/eval/unified
    """
    with session(debug, plugin):
        from uniapl_cli.evaluation import compare as of
        from uniapl_cli.runs.console import table

        result = of.compare(of.read(first), of.read(second), metric)

        def human(_: Any) -> Any:
            from rich.console import Group

            tables = [table("B - A, in points", *of.differences(result))]
            columns, rows = of.means(result)
            return Group(*tables, *([table("B - A, means", columns, rows)] if rows else []))

        print_result(result, json, human)
