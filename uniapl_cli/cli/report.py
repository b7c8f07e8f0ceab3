"""uniapl report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session
from uniapl_cli.errors import ConfigError


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    markdown = "markdown"
    latex = "latex"
    csv = "csv"


Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RESULTS]...",
        help="What eval wrote, eval.json or its folder; RUN=RESULTS with --table.",
        show_default=False,
    ),
]
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
Number = Annotated[
    int | None,
    typer.Option(
        "--table", metavar="N", help="The paper's table N, 2 to 12, with the results in it."
    ),
]
Contradictions = Annotated[
    bool,
    typer.Option("--contradictions", help="What in the paper's tables contradicts itself."),
]
Written = Annotated[
    Format | None,
    typer.Option("--format", help="How to write --table or --contradictions."),
]


def report(
    files: Files = None,
    show: Show = None,
    over_seeds: OverSeeds = False,
    table: Number = None,
    contradictions: Contradictions = False,
    format: Written = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Put evaluations side by side, with standard errors, or into a table of the paper.

    Example: uniapl report work/tiny/eval/*/eval.json --show greedy/prompt_strict
    """
    with session(debug):
        files = files or []
        _refuse(
            ("--show", bool(show), "--table", table is not None),
            ("--contradictions", contradictions, "--table", table is not None),
            ("--contradictions", contradictions, "--show", bool(show)),
            ("--contradictions", contradictions, "--over-seeds", over_seeds),
            ("--contradictions", contradictions, "results", bool(files)),
            ("--json", json, "--format", format is not None),
        )
        if contradictions:
            _contradictions(format or Format.terminal, json)
        elif table is not None:
            _table(table, files, over_seeds, format or Format.terminal, json)
        elif format is not None:
            raise ConfigError("--format is for --table or --contradictions", got=format.value)
        else:
            _side_by_side([Path(file) for file in files], show or [], over_seeds, json)


def _refuse(*pairs: tuple[str, bool, str, bool]) -> None:
    for one, given, other, also in pairs:
        if given and also:
            raise ConfigError(f"{one} and {other} do not go together", "Leave one of them out")


def _side_by_side(files: list[Path], show: list[str], over_seeds: bool, json: bool) -> None:
    from uniapl_cli.evaluation.report import compare, compare_seeds, read_evaluations
    from uniapl_cli.evaluation.seeds import over_seeds as by_name
    from uniapl_cli.runs.console import table

    if not files:
        raise ConfigError(
            "nothing to report", "Name an eval.json, or give --table N or --contradictions"
        )
    results = read_evaluations(files)
    shown, spread = compare, "mean ± standard error"
    if over_seeds:
        results = by_name(results)
        shown, spread = compare_seeds, "mean over seeds ± half its 95% interval"
    columns, rows = shown(results, show)

    def human(_: Any) -> Any:
        return table(f"{results[0]['data'] or 'benchmarks'} ({spread})", columns, rows)

    print_result({"evaluations": results}, json, human)


def _table(number: int, files: list[str], over_seeds: bool, format: Format, json: bool) -> None:
    from uniapl_cli.published import formats
    from uniapl_cli.published.layout import lay_out, read_results
    from uniapl_cli.runs.console import table

    sheet = lay_out(number, read_results(files), over_seeds)

    def human(_: Any) -> Any:
        """Show the table, and what its marks mean."""
        from rich.console import Group
        from rich.text import Text

        columns, lines = sheet.grid()
        rows = [[name, *(formats.marked(cell) for cell in cells)] for name, cells in lines]
        notes = [Text(f"[{mark}] {note}") for mark, note in sheet.notes.items()]
        return Group(table(sheet.title, columns, rows), *notes)

    texts = {
        Format.markdown: formats.markdown,
        Format.latex: formats.latex,
        Format.csv: formats.csv_text,
    }
    if json or format is Format.terminal:
        print_result(sheet.plain(), json, human)
    else:
        typer.echo(texts[format](sheet), nl=False)


def _contradictions(format: Format, json: bool) -> None:
    from uniapl_cli.published import contradictions, page
    from uniapl_cli.runs.console import table

    def human(_: Any) -> Any:
        title = "What in the paper's tables contradicts itself"
        return table(title, *contradictions.rows(), figures=False)

    texts = {Format.markdown: page.markdown, Format.latex: page.latex, Format.csv: page.csv_text}
    if json or format is Format.terminal:
        print_result(contradictions.plain(), json, human)
    else:
        typer.echo(texts[format](), nl=False)
