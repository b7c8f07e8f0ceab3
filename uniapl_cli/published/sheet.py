"""A table to be printed: cells with marks, and notes on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Where nothing was published or measured.
NOTHING = "-"


@dataclass(frozen=True)
class Cell:
    """A figure in percent as text, half the width of its interval or its error, and its notes."""

    value: str = NOTHING
    spread: str = ""
    marks: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the figure with its error."""
        return f"{self.value} ± {self.spread}" if self.spread else self.value


@dataclass(frozen=True)
class Series:
    """A model's figures by measure. source: "published" or "measured"; run: the paper's row."""

    label: str
    source: str
    run: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Sheet:
    """A table in the paper's layout. measures: their labels by name; notes: texts by mark."""

    number: int
    title: str
    by_column: bool
    measures: Mapping[str, str]
    series: Sequence[Series]
    notes: Mapping[str, str] = field(default_factory=dict)

    def grid(self) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
        """Return the header, and each line's name and cells, as the paper has rows and columns."""
        if self.by_column:
            head = ["Benchmark", *(series.label for series in self.series)]
            lines = [
                (label, [series.cells[measure] for series in self.series])
                for measure, label in self.measures.items()
            ]
            return head, lines
        head = ["Method", *self.measures.values()]
        return head, [(s.label, [s.cells[m] for m in self.measures]) for s in self.series]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "table": self.number,
            "title": self.title,
            "series": [
                {
                    "label": series.label,
                    "source": series.source,
                    "run": series.run or None,
                    "values": {name: _plain(cell) for name, cell in series.cells.items()},
                }
                for series in self.series
            ],
            "notes": dict(self.notes),
        }


def _plain(cell: Cell) -> dict[str, Any]:
    return {
        "value": None if cell.value == NOTHING else float(cell.value),
        "spread": float(cell.spread) if cell.spread else None,
        "marks": list(cell.marks),
    }
