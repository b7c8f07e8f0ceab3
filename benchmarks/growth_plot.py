"""The plot of generation_growth.py: three panels side by side, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT, MARGIN = 300, 220, 60
COLOURS = ("#1b6ca8", "#d17c00", "#3a8f3a", "#9a3a8f")
Points = Sequence[Sequence[float]]


class Panel:
    """A pair of axes from 0 to `right` and `top`."""

    def __init__(self, number: int, title: str, x: str, y: str, right: float, top: float) -> None:
        self.left, self.right, self.top = MARGIN + number * (WIDTH + 2 * MARGIN), right, top
        middle, bottom = self.left + WIDTH / 2, MARGIN + HEIGHT
        side = self.left - 45
        self.parts = [
            f'<path d="M{self.left} {MARGIN}V{bottom}H{self.left + WIDTH}" class="axis"/>',
            text(middle, MARGIN - 20, title, "middle", "title"),
            text(middle, bottom + 36, x, "middle"),
            text(side, MARGIN - 6, y, "start"),
            text(self.left, bottom + 16, "0", "middle"),
            text(self.left + WIDTH, bottom + 16, number_text(right), "middle"),
            text(self.left - 5, MARGIN + 10, number_text(top), "end"),
        ]

    def place(self, point: Sequence[float]) -> str:
        across = self.left + WIDTH * point[0] / self.right
        return f"{across:.1f} {MARGIN + HEIGHT * (1 - point[1] / self.top):.1f}"

    def line(self, points: Points, style: str) -> None:
        path = "L".join(self.place(point) for point in points)
        self.parts.append(f'<path d="M{path}" fill="none" {style}/>')

    def dots(self, points: Points, colour: str, radius: float) -> None:
        for point in points:
            x, y = self.place(point).split()
            self.parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')

    def name(self, row: int, words: str, colour: str, *, right: bool = True) -> None:
        x = self.left + (WIDTH - 4 if right else 4)
        y = MARGIN + HEIGHT - 12 - 15 * row
        self.parts.append(text(x, y, words, "end" if right else "start", fill=colour))


def text(x: float, y: float, words: str, anchor: str, kind: str = "", fill: str = "#222") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}" fill="{fill}">{words}</text>'
    )


def number_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


DASHED = 'stroke="#888" stroke-dasharray="4 4"'


def draw_plot(runs: Sequence[dict[str, Any]], budget: int) -> str:
    """Return the SVG of all runs."""
    last = runs[-1]
    panels = [times(runs, last), memory(runs, budget), starts(runs)]
    wide, high = 3 * (WIDTH + 2 * MARGIN), HEIGHT + 2 * MARGIN
    style = "text{font:12px sans-serif}.title{font-weight:bold}.axis{fill:none;stroke:#222}"
    parts = [part for panel in panels for part in panel.parts]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}">',
            f"<style>{style}</style>",
            f'<rect width="{wide}" height="{high}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def times(runs: Sequence[dict[str, Any]], last: dict[str, Any]) -> Panel:
    most, longest = last["tokens"], max(run["seconds"] for run in runs)
    panel = Panel(0, "Time is linear in tokens", "tokens", "seconds", most, longest)
    panel.line([(0, 0), (most, last["seconds"])], DASHED)
    for run, colour in zip(runs, COLOURS, strict=False):
        panel.dots([(run["tokens"], run["seconds"])], colour, 4)
    for row, (run, colour) in enumerate(zip(runs, COLOURS, strict=False)):
        panel.name(row, f"{run['requests']:,} requests: {run['tokens_per_second']:,}/s", colour)
    return panel


def memory(runs: Sequence[dict[str, Any]], budget: int) -> Panel:
    title = "Keys and values stay within the budget"
    panel = Panel(1, title, "share of the tokens drawn", "tokens held", 1, 1.1 * budget)
    panel.line([(0, budget), (1, budget)], DASHED)
    for row, (run, colour) in enumerate(zip(runs, COLOURS, strict=False)):
        panel.line(stairs(run["cache"]), f'stroke="{colour}"')
        words = f"{run['requests']:,}: process grew by {run['peak_growth_mb']:.0f} MB"
        panel.name(row, words, colour, right=False)
    return panel


def stairs(points: Points) -> list[tuple[float, float]]:
    """Hold each value until the next one."""
    path: list[tuple[float, float]] = []
    for x, y in points:
        path += [(x, path[-1][1])] if path else []
        path.append((x, y))
    return [*path, (1.0, path[-1][1])]


def starts(runs: Sequence[dict[str, Any]]) -> Panel:
    title = "Nobody starts behind its place"
    panel = Panel(
        2, title, "share of the tokens before it in the queue", "drawn at its start", 1, 1
    )
    panel.line([(0, 0), (1, 1)], DASHED)
    for row, (run, colour) in enumerate(zip(runs, COLOURS, strict=False)):
        panel.dots(run["starts"], colour, 1)
        panel.name(row, f"{run['requests']:,}: latest {run['starts_late']:+.1%}", colour)
    return panel
