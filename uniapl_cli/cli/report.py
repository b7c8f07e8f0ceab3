"""uniapl report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session

Files = Annotated[list[Path], typer.Argument(metavar="EVAL.JSON...", help="What eval wrote.")]
Show = Annotated[
    list[str] | None,
    typer.Option("--show", metavar="DRAWS/METRIC", help="A column; may be given several times."),
]

OverSeeds = Annotated[
    bool,
    typer.Option(
        "--over-seeds",
        help="One row for NAME-0, NAME-1 ...: means over seeds with 95% intervals (Student's t).",
    ),
]


def report(
    files: Files,
    show: Show = None,
    over_seeds: OverSeeds = False,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Put evaluations side by side, with standard errors.

    Example: uniapl report work/tiny/eval/*/eval.json --show greedy/prompt_strict
    """
    with session(debug):
        from uniapl_cli.evaluation.report import compare, compare_seeds, read_evaluations
        from uniapl_cli.evaluation.seeds import over_seeds as by_name
        from uniapl_cli.runs.console import table

        results = read_evaluations(files)
        shown, spread = compare, "mean ± standard error"
        if over_seeds:
            results = by_name(results)
            shown, spread = compare_seeds, "mean over seeds ± half its 95% interval"
        columns, rows = shown(results, show or [])

        def human(_: Any) -> Any:
            return table(f"{results[0]['data']} ({spread})", columns, rows)

        print_result({"evaluations": results}, json, human)
