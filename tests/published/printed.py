"""Reads the tables of the paper's text: the figures of each, as rows of texts."""

from __future__ import annotations

import re
from pathlib import Path

from command_lines import ROOT

PAPER = ROOT.parent / "shared" / "paper" / "uniapl_v1.md"
FIGURE = re.compile(r"\d+\.\d+")


def printed(number: int, paper: Path = PAPER) -> list[list[str]]:
    """The lines above `Table N:` that hold figures, without their first cell."""
    lines = paper.read_text("utf-8").splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith(f"Table {number}:"))
    rows = []
    for line in reversed(lines[: end - 1]):
        if "\t" not in line:
            break
        cells = [cell.strip() for cell in line.split("\t")[1:] if cell.strip()]
        if cells and all(map(FIGURE.fullmatch, cells)):
            rows.append(cells)
    # Tables 10 and 11 have the weights as a header.
    return [row for row in reversed(rows) if not {"0.1", "0.00001"} <= set(row)]
