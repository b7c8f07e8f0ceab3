"""Writes a chart as PNG and SVG."""

from __future__ import annotations

import io
from pathlib import Path

from uniapl_cli.errors import DataError
from uniapl_cli.figures import style, svg
from uniapl_cli.figures.chart import Chart
from uniapl_cli.figures.draw import draw
from uniapl_cli.files import replacing
from uniapl_cli.outputs import check_output

SUFFIXES = (".png", ".svg")


def paths(stem: str | Path) -> tuple[Path, Path]:
    """Return the files of a figure, STEM.png and STEM.svg, checked that they can be written.

    A stem that ends as one of them is that file's. Raises DataError.
    """
    stem = Path(stem)
    if stem.suffix in SUFFIXES:
        stem = stem.with_suffix("")
    if stem.name in ("", ".."):
        advice = "Type --out STEM, and STEM.png and STEM.svg are written"
        raise DataError(f"'{stem}' is no name of a figure", advice, got=str(stem))
    png, vector = (Path(f"{stem}{suffix}") for suffix in SUFFIXES)
    for path in (png, vector):
        check_output(path)
    return png, vector


def save(chart: Chart, stem: str | Path) -> list[Path]:
    """Write STEM.png and STEM.svg, each whole or not at all, and return the paths.

    The same chart gives the same bytes. Raises DataError.
    """
    png, vector = paths(stem)
    buffer = io.BytesIO()
    with style.styled():
        # The program's name would change the bytes with its version.
        draw(chart).savefig(buffer, format="png", dpi=style.DPI, metadata={"Software": None})
    with replacing(png) as file:
        file.buffer.write(buffer.getvalue())
    with replacing(vector) as file:
        file.write(svg.file(chart))
    return [png, vector]
