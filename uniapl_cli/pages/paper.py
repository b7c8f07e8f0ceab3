"""The section of a table of the paper, published figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from uniapl_cli.evaluation.seeds import split_seed
from uniapl_cli.pages.html import Html, element
from uniapl_cli.pages.study import Written
from uniapl_cli.pages.tables import table
from uniapl_cli.published.layout import MEASURED, Result, lay_out
from uniapl_cli.published.sheet import Cell, Sheet


def paper(number: int, evaluations: Sequence[Written]) -> list[Html]:
    """Return the paper's table with all evaluations in it, and its notes.

    Raises DataError for a number that is none of its tables.
    """
    measured = [one for one in evaluations if one.result.get("benchmarks")]
    results = [Result({**one.result, "name": one.name}) for one in measured]
    seeds = len({split_seed(one.name)[0] for one in measured}) < len(measured)
    sheet = lay_out(number, results, seeds)
    spread = "half the 95% interval over seeds" if seeds else "the standard error"
    ours = f"“Ours” are of this study, ± {spread}; the others are as published."
    if not measured:
        ours = "No evaluation of this study has a benchmark of the paper; its figures are above."
    parts = [element("p", f"Figures in percent. {ours}"), _table(sheet)]
    if sheet.notes:
        notes = [
            element("li", element("b", f"[{mark}]"), f" {note}", id=_anchor(mark))
            for mark, note in sheet.notes.items()
        ]
        parts.append(element("ul", notes, class_="notes"))
    return parts


def _table(sheet: Sheet) -> Html:
    columns, lines = sheet.grid()
    ours = [number for number, one in enumerate(sheet.series) if one.source == MEASURED]
    rows = [[name, *map(_cell, cells)] for name, cells in lines]
    return table(sheet.title, columns, rows, marked=() if sheet.by_column else ours)


def _cell(cell: Cell) -> list[Html | str]:
    links = [element("a", mark, href=f"#{_anchor(mark)}") for mark in cell.marks]
    marks = [part for link in links for part in (" ", link)][1:]
    return [
        cell.value,
        *([element("small", f" ± {cell.spread}")] if cell.spread else []),
        *([element("sup", marks)] if marks else []),
    ]


def _anchor(mark: str) -> str:
    return f"note-{mark}"
