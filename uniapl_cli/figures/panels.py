"""Draws the series of one panel, and legends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uniapl_cli.figures import style
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.names import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TITLE_LETTER = 0.077  # inches


@dataclass(frozen=True)
class LookOf:
    """How a series is drawn wherever it is."""

    colour: str
    dash: Any
    marker: str


def looks(names: Sequence[str]) -> dict[str, LookOf]:
    """Return a look a name."""
    return {
        name: LookOf(style.colour(index), style.dash(index), style.marker(index))
        for index, name in enumerate(names)
    }


def labels(chart: Chart) -> list[str]:
    """Return what the figure's legend says; nothing where one name says less than the title."""
    found = _labelled(chart)
    return list(found.values()) if len(found) > 1 else []


def _labelled(chart: Chart) -> dict[str, str]:
    """Return each series' label; categories name theirs on the axis."""
    found: dict[str, str] = {}
    for panel in chart.panels:
        if not panel.categories or any(one.look == "bars" for one in panel.series):
            for one in panel.series:
                found.setdefault(one.name, one.label or one.name)
    return found


def fill(axes: Axes, panel: Panel, looks: Mapping[str, LookOf], inches: float) -> None:
    """Draw a panel. inches: its width."""
    axes.set_title(shortened(panel.title, int((inches - 0.45) / TITLE_LETTER)), pad=5)
    axes.set_xlabel(shortened(panel.x, 60))
    axes.set_ylabel(shortened(panel.y, 60))
    axes.grid(True, axis="x" if panel.categories else "y")
    axes.set_axisbelow(True)
    places = _places(panel)
    if panel.zero:
        line = axes.axvline if panel.zero == "x" else axes.axhline
        line(0, color=style.INK, linewidth=0.8, alpha=0.55)
    for one in panel.series:
        look = looks[one.name]
        if one.ink:
            look = LookOf(style.INK, look.dash, look.marker)
        _DRAWN[one.look](axes, one, look, places)
    _scales(axes, panel, places)


def _line(axes: Axes, one: Series, look: LookOf, _: Mapping[float, float]) -> None:
    if one.raw:
        axes.plot(one.x, one.raw, color=look.colour, linewidth=0.7, alpha=style.RAW, zorder=1.5)
    if one.low:
        low, high = _ends(one)
        axes.fill_between(one.x, low, high, color=look.colour, alpha=style.BAND, linewidth=0)
    alone = len(one.x) == 1
    axes.plot(
        one.x, one.y, color=look.colour, linestyle=look.dash, marker=look.marker if alone else ""
    )


def _density(axes: Axes, one: Series, look: LookOf, _: Mapping[float, float]) -> None:
    if one.ink:
        axes.fill_between(one.x, one.y, 0, color=look.colour, alpha=style.BAND, linewidth=0)
    width = style.WIDE * (1.4 if one.ink else 1)
    axes.plot(one.x, one.y, color=look.colour, linestyle=look.dash, linewidth=width)


def _points(axes: Axes, one: Series, look: LookOf, places: Mapping[float, float]) -> None:
    x = [places.get(value, value) for value in one.x]
    joined = [(place, y) for place, value, y in zip(x, one.x, one.y, strict=True) if value]
    axes.plot(
        *zip(*joined, strict=True) if joined else ([], []), color=look.colour, linestyle=look.dash
    )
    if one.low:
        low, high = _ends(one)
        axes.vlines(x, low, high, color=look.colour, linewidth=1.1)
    axes.plot(x, one.y, color=look.colour, linestyle="", marker=look.marker, markersize=4.5)


def _dots(axes: Axes, one: Series, look: LookOf, _: Mapping[float, float]) -> None:
    if one.low:
        low, high = _ends(one, one.x)
        axes.hlines(one.y, low, high, color=look.colour, linewidth=1.4)
    axes.plot(one.x, one.y, color=look.colour, linestyle="", marker=look.marker, markersize=5)


def _bars(axes: Axes, one: Series, look: LookOf, _: Mapping[float, float]) -> None:
    axes.barh(one.y, one.x, height=0.7, color=look.colour, alpha=0.75)
    ends = list(one.x)
    if one.low:
        low, high = _ends(one, one.x)
        axes.hlines(one.y, low, high, color=style.INK, linewidth=1.1)
        ends = [max(end, x) for end, x in zip(high, one.x, strict=True)]
    for end, x, y in zip(ends, one.x, one.y, strict=True):
        axes.annotate(
            f"{x:.1f}", (end, y), (4, 0), textcoords="offset points", va="center", size=style.SMALL
        )


_DRAWN = {"line": _line, "density": _density, "points": _points, "dots": _dots, "bars": _bars}


def _ends(one: Series, middle: Sequence[float] = ()) -> tuple[list[float], list[float]]:
    """Return the intervals' ends; where there is none, the value itself."""
    middle = middle or one.y
    low = [at if end is None else end for end, at in zip(one.low, middle, strict=True)]
    high = [at if end is None else end for end, at in zip(one.high, middle, strict=True)]
    return low, high


def _places(panel: Panel) -> dict[float, float]:
    """Return where the numbers of a scale of amounts stand: 0 is a decade below the others."""
    if panel.x_scale != "amounts":
        return {}
    amounts = sorted({x for one in panel.series for x in one.x})
    decades = {x: math.log10(x) for x in amounts if x > 0}
    first = min(decades.values(), default=0.0)
    return {x: decades.get(x, first - 1) for x in amounts}


def _scales(axes: Axes, panel: Panel, places: Mapping[float, float]) -> None:
    if places:
        axes.set_xticks(list(places.values()), [f"{x:g}" for x in places])
        axes.set_xlim(min(places.values()) - 0.3, max(places.values()) + 0.3)
        if 0 in places and len(places) > 1:
            axes.axvline(places[0] + 0.5, color=style.INK, linewidth=0.8, alpha=0.4, linestyle=":")
    if panel.y_scale == "log" and any(y > 0 for one in panel.series for y in one.y):
        axes.set_yscale("log", nonpositive="mask")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    if panel.categories:
        names = [shortened(name, 36) for name in panel.categories]
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)
    if panel.x_range:
        axes.set_xlim(*panel.x_range)
    if panel.y_range:
        axes.set_ylim(*panel.y_range)


def legend(
    figure: Figure,
    chart: Chart,
    looks: Mapping[str, LookOf],
    columns: int,
    place: tuple[float, float],
) -> None:
    """Put the figure's legend below its title."""
    shown = {one.name: one for panel in reversed(chart.panels) for one in panel.series}
    named = _labelled(chart)
    handles = [_handle(shown[name], looks[name]) for name in named]
    box = figure.legend(
        handles,
        [str(number) for number in range(len(handles))],
        loc="upper left",
        bbox_to_anchor=place,
        ncols=columns,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.6,
        labelspacing=0.35,
    )
    _name(box, list(named.values()))


def legend_below(axes: Axes, panel: Panel) -> None:
    """Put a panel's own legend below it."""
    own = looks([one.name for one in panel.series])
    handles = [_handle(one, own[one.name]) for one in panel.series]
    numbers = [str(number) for number in range(len(handles))]
    box = axes.legend(
        handles, numbers, loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0, ncols=1
    )
    _name(box, [one.label or one.name for one in panel.series])


def _handle(one: Series, look: LookOf) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colour = style.INK if one.ink else look.colour
    if one.look == "bars":
        return Patch(facecolor=colour, alpha=0.75)
    marked = one.look == "points" or len(one.x) == 1
    return Line2D(
        [],
        [],
        color=colour,
        linestyle=look.dash,
        marker=look.marker if marked else "",
        markersize=4.5,
    )


def _name(box: Any, names: Sequence[str]) -> None:
    """Give a legend its texts: matplotlib leaves out what begins with an underscore."""
    for text, name in zip(box.get_texts(), names, strict=True):
        text.set_text(shortened(name))
