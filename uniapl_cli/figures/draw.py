"""Draws a chart: title, legend and note in bands of their own, the panels between them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uniapl_cli.figures import panels, style
from uniapl_cli.figures.chart import Chart, Panel
from uniapl_cli.figures.names import legible, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches: widths of a figure by its columns, heights of their panels, a row of bars, a letter.
WIDTHS, HEIGHTS = (6.0, 7.6, 9.6), (3.1, 2.3, 2.0)
ROW, FRAME, LETTER, HANDLE = 0.21, 0.75, 0.068, 0.5
EDGE = 0.08


@dataclass(frozen=True)
class _Legend:
    """Labels in columns of a width; ink: which of the numbers have no colour."""

    labels: Sequence[str]
    columns: int

    @property
    def rows(self) -> int:
        return math.ceil(len(self.labels) / self.columns) if self.labels else 0


def draw(chart: Chart, columns: int | None = None) -> Figure:
    """Return the figure. columns: how many panels stand side by side, 1 to 3."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    across = columns or _across(chart.panels)
    down = math.ceil(len(chart.panels) / across)
    width = WIDTHS[across - 1]
    every = [one for panel in chart.panels for one in panel.series]
    looks = panels.looks(every if chart.one_legend else ())
    legend = _legend(chart, width)
    note = textwrap.wrap(legible(chart.note), int(width / LETTER * 1.08))
    top = 0.28 + style.LINE * legend.rows + (0.06 if legend.rows else 0)
    bottom = style.LINE * len(note) + (0.08 if note else 0)
    heights = [_height(row, across, chart.one_legend) for row in _rows(chart.panels, across)]
    height = top + sum(heights) + bottom
    with style.styled():
        rect = (0.0, bottom / height, 1.0, (height - top - bottom) / height)
        layout = ConstrainedLayoutEngine(rect=rect, h_pad=0.05, w_pad=0.06)
        figure = Figure(figsize=(width, height), layout=layout)
        ratios = list(chart.widths) if len(chart.widths) == across else [1.0] * across
        grid = figure.add_gridspec(down, across, width_ratios=ratios, height_ratios=heights)
        for number, panel in enumerate(chart.panels):
            axes = figure.add_subplot(grid[number // across, number % across])
            own = looks or panels.looks(panel.series)
            share = ratios[number % across] / sum(ratios)
            panels.fill(axes, panel, own, width * share)
            if not chart.one_legend and len(panel.series) > 1:
                panels.legend_below(axes, panel)
        left = EDGE / width
        figure.text(
            left, 1 - 0.07 / height, shortened(chart.title, 110), va="top", size=style.LARGE
        )
        if legend.rows:
            place = (left, 1 - 0.27 / height)
            panels.legend(figure, chart, looks, legend.columns, place)
        if note:
            figure.text(left, 0.05 / height, "\n".join(note), va="bottom", size=style.SMALL)
    return figure


def _across(shown: Sequence[Panel]) -> int:
    """Return how many panels stand side by side: bars only with as many beside them."""
    if len({len(panel.categories) for panel in shown if panel.categories}) > 1:
        return 1
    return 2 if len(shown) == 4 else min(len(shown), 3)


def _rows(shown: Sequence[Panel], across: int) -> list[Sequence[Panel]]:
    return [shown[start : start + across] for start in range(0, len(shown), across)]


def _height(row: Sequence[Panel], across: int, one_legend: bool) -> float:
    """Return the inches that a row of panels takes, with the legends below them."""
    bars = max((len(panel.categories) for panel in row), default=0)
    alone = all(panel.categories for panel in row)
    below = 0 if one_legend else max(len(panel.series) for panel in row)
    height = max(0.0 if alone else HEIGHTS[across - 1], FRAME + ROW * bars)
    return height + (style.LINE * below if below > 1 else 0)


def _legend(chart: Chart, width: float) -> _Legend:
    labels = panels.labels(chart) if chart.one_legend else []
    if not labels:
        return _Legend([], 1)
    longest = max(len(shortened(label)) for label in labels)
    columns = max(1, int((width - 2 * EDGE) / (longest * LETTER + HANDLE)))
    return _Legend(labels, min(columns, len(labels)))
