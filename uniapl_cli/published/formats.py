"""Tables as Markdown, LaTeX and CSV, with what these give a meaning escaped."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from uniapl_cli.published.sheet import NOTHING, Cell, Sheet

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&#])")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",  # itself only in T1's encoding
    "[": "{[}",  # behind \\ it would begin an option
    "*": "{*}",  # likewise
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
}


def markdown_text(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def latex_text(text: str) -> str:
    """Return a text that LaTeX sets as it is, on one line."""
    escaped = "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))
    return re.sub("-(?=-)", "-{}", escaped)  # two would be a dash


def markdown_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts; all columns but the first are right-aligned if they are figures."""
    rows = [list(map(markdown_text, row)) for row in rows]
    lines = [list(map(markdown_text, columns)), ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """Return a tabular of texts, which LaTeX needs no package for."""
    escaped = [list(map(latex_text, line)) for line in (columns, *rows)]
    return _tabular(escaped, align)


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines as RFC 4180 has them, but for the line ends."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    return file.getvalue()


def markdown(sheet: Sheet) -> str:
    """Return a sheet in Markdown, its notes as a list."""
    head, lines = sheet.grid()
    rows = [[name, *(marked(cell) for cell in cells)] for name, cells in lines]
    text = f"**{markdown_text(sheet.title)}**\n\n{markdown_rows(head, rows)}"
    notes = [f"- {markdown_text(f'[{mark}] {note}')}\n" for mark, note in sheet.notes.items()]
    return text + ("\n" + "".join(notes) if notes else "")


def latex(sheet: Sheet) -> str:
    """Return a sheet as a LaTeX table, its notes below it."""
    head, lines = sheet.grid()
    rows = [list(map(latex_text, head))]
    for name, cells in lines:
        rows.append([latex_text(name), *(_superscript(cell) for cell in cells)])
    notes = [
        rf"\par\footnotesize\textsuperscript{{{mark}}} {latex_text(note)}" + "\n"
        for mark, note in sheet.notes.items()
    ]
    return (
        "\\begin{table}\n"
        f"\\caption{{{latex_text(sheet.title)}}}\n"
        f"{_tabular(rows, 'l' + 'r' * (len(head) - 1))}"
        f"{''.join(notes)}"
        "\\end{table}\n"
    )


def csv_text(sheet: Sheet) -> str:
    """Return a sheet as CSV: numbers alone, errors in lines or columns of their own.

    The last column has the marks of the line's cells.
    """
    return _csv_by_column(sheet) if sheet.by_column else _csv_by_row(sheet)


def _csv_by_row(sheet: Sheet) -> str:
    rows = []
    for series in sheet.series:
        cells = [series.cells[measure] for measure in sheet.measures]
        named = list(zip(sheet.measures.values(), cells, strict=True))
        rows.append([series.label, series.source, *map(_number, cells), _listed(named)])
        if any(cell.spread for cell in cells):
            spreads = [cell.spread for cell in cells]
            rows.append([series.label, "error", *spreads, ""])
    return csv_rows(["method", "source", *sheet.measures.values(), "marks"], rows)


def _csv_by_column(sheet: Sheet) -> str:
    head, columns = ["benchmark"], [list(sheet.measures.values())]
    for series in sheet.series:
        cells = [series.cells[measure] for measure in sheet.measures]
        head.append(series.label)
        columns.append([_number(cell) for cell in cells])
        if any(cell.spread for cell in cells):
            head.append(f"{series.label}, error")
            columns.append([cell.spread for cell in cells])
    head.append("marks")
    columns.append(
        [_listed([(s.label, s.cells[measure]) for s in sheet.series]) for measure in sheet.measures]
    )
    return csv_rows(head, zip(*columns, strict=True))


def _number(cell: Cell) -> str:
    return "" if cell.value == NOTHING else cell.value


def _listed(cells: Iterable[tuple[str, Cell]]) -> str:
    return "; ".join(f"{label}: {' '.join(cell.marks)}" for label, cell in cells if cell.marks)


def marked(cell: Cell) -> str:
    """Return a cell as text with the marks of its notes."""
    return f"{cell.text} [{' '.join(cell.marks)}]" if cell.marks else cell.text


def _superscript(cell: Cell) -> str:
    marks = rf"\textsuperscript{{{','.join(cell.marks)}}}" if cell.marks else ""
    return latex_text(cell.text) + marks


def _tabular(rows: Sequence[Sequence[str]], align: str) -> str:
    head, *body = (f"{' & '.join(row)} \\\\\n" for row in rows)
    return (
        f"\\begin{{tabular}}{{{align}}}\n\\hline\n{head}\\hline\n{''.join(body)}\\hline\n"
        "\\end{tabular}\n"
    )
