"""What a figure shows, as data: panels of series. Imports nothing that draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Values = tuple[float, ...]
Ends = tuple[float | None, ...]
# line: y over x. points: the same, with a mark and an interval at each. density: a line, with the
# area under it where it is in ink. dots, bars: x at the categories y, with intervals in x.
Look = Literal["line", "points", "density", "dots", "bars"]
# amounts: a log axis for numbers of which one may be 0, with a tick at each.
Scale = Literal["linear", "log", "amounts"]


@dataclass(frozen=True)
class Series:
    """Numbers under a name. low, high: an interval's ends, None where there is none.

    raw: y before it was smoothed. ink: in the colour of the text, as what others are compared with.
    label: what the legend says in place of the name.
    """

    name: str
    x: Values
    y: Values
    low: Ends = ()
    high: Ends = ()
    raw: Values = ()
    look: Look = "line"
    ink: bool = False
    label: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the numbers that are drawn."""
        named: dict[str, Any] = {"name": self.name, "x": list(self.x), "y": list(self.y)}
        more = {"low": self.low, "high": self.high, "raw": self.raw}
        return named | {key: list(values) for key, values in more.items() if values}


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    zero: the axis on which a line marks 0. categories: the names of y = 0, 1, ...
    """

    title: str
    series: tuple[Series, ...]
    x: str = ""
    y: str = ""
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    zero: Literal["", "x", "y"] = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the numbers that are drawn, with what the axes say."""
        named = {"title": self.title, "x": self.x, "y": self.y}
        categories = {"categories": list(self.categories)} if self.categories else {}
        return {**named, **categories, "series": [one.plain() for one in self.series]}


@dataclass(frozen=True)
class Chart:
    """A figure. note: what must be said of how the numbers were made.

    one_legend: a name has the same colour in all panels; else each panel has a legend of its own.
    widths: the panels' relative widths, where they are not equal.
    """

    kind: str
    title: str
    panels: tuple[Panel, ...]
    note: str = ""
    one_legend: bool = True
    widths: tuple[float, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return all that is drawn, for JSON."""
        panels = [panel.plain() for panel in self.panels]
        return {"kind": self.kind, "title": self.title, "note": self.note, "panels": panels}

    def description(self) -> str:
        """Return in words what the figure shows, for readers who do not see it."""
        panels = "; ".join(_told(panel) for panel in self.panels)
        return f"{panels}. {self.note}".strip()


def _told(panel: Panel) -> str:
    axes = f" ({panel.y or 'value'} over {panel.x})" if panel.x and not panel.categories else ""
    values = ", ".join(_values(one, panel.categories) for one in panel.series)
    return f"{panel.title or 'panel'}{axes}: {values}"


def _values(one: Series, categories: Sequence[str]) -> str:
    if not one.x:
        return f"{one.name}: nothing"
    if one.look in ("dots", "bars"):
        return ", ".join(f"{categories[int(y)]} {x:.4g}" for x, y in zip(one.x, one.y, strict=True))
    if one.look == "density":
        highest = max(range(len(one.y)), key=one.y.__getitem__)
        return f"{one.name} is highest at {one.x[highest]:.4g}"
    if one.look == "points":
        pairs = [f"{y:.4g} at {x:g}" for x, y in zip(one.x, one.y, strict=True)]
        return f"{one.name} {', '.join(pairs)}"
    return f"{one.name} from {one.y[0]:.4g} to {one.y[-1]:.4g}"
