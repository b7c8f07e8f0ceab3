"""Draws the series of one panel, and legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uniapl_cli.figures import style
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.names import shortened
from uniapl_cli.figures.scales import places_of, set_scales
from uniapl_cli.figures.smooth import thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Points of a line as it was logged: more are not told apart on a panel.
MOST = 1000
TITLE_LETTER = 0.077  # inches
BELOW = 0.45  # inches from a panel to its own legend, room for its axis
# How far apart, in decades, points at the same amount stand, so that intervals are seen.
DODGE = 0.035


@dataclass(frozen=True)
class LookOf:
    """How a series is drawn wherever it is."""

    colour: str
    dash: Any
    marker: str


def looks(series: Iterable[Series]) -> dict[str, LookOf]:
    """Return a look a name: those in ink differ in their dashes, the others in colour first."""
    found: dict[str, LookOf] = {}
    inked = 0
    for one in series:
        if one.name not in found and one.ink:
            found[one.name] = LookOf(
                style.INK, style.DASHES[inked % len(style.DASHES)], style.marker(inked)
            )
            inked += 1
        elif one.name not in found:
            index = len(found) - inked
            found[one.name] = LookOf(style.colour(index), style.dash(index), style.marker(index))
    return found


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
    places = places_of(panel)
    if panel.zero:
        line = axes.axvline if panel.zero == "x" else axes.axhline
        line(0, color=style.INK, linewidth=0.8, alpha=0.55)
    for number, one in enumerate(panel.series):
        aside = DODGE * (number - (len(panel.series) - 1) / 2)
        beside = {x: place + aside for x, place in places.items()}
        _DRAWN[one.look](axes, one, looks[one.name], beside)
    set_scales(axes, panel, places)


def _line(axes: Axes, one: Series, look: LookOf, _: Mapping[float, float]) -> None:
    if one.raw:
        x, y = thinned(one.x, one.raw, MOST)
        axes.plot(x, y, color=look.colour, linewidth=0.7, alpha=style.RAW, zorder=1.5)
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
    axes.barh(one.y, one.x, height=0.7, color=look.colour, alpha=_solid(one), zorder=2)
    ends = list(one.x)
    if one.low:
        low, high = _ends(one, one.x)
        axes.hlines(one.y, low, high, color=style.INK, linewidth=1.1)
        ends = [max(end, x) for end, x in zip(high, one.x, strict=True)]
    decimals = 1 if max(map(abs, one.x)) >= 10 else 2
    aside: Any = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    for end, x, y in zip(ends, one.x, one.y, strict=True):
        axes.annotate(f"{x:.{decimals}f}", (end, y), size=style.SMALL, **aside)


def _solid(one: Series) -> float:
    """Return how opaque a bar is: the text's colour alone would be heavy."""
    return 0.5 if one.ink else 1.0


_DRAWN = {"line": _line, "density": _density, "points": _points, "dots": _dots, "bars": _bars}


def _ends(one: Series, middle: Sequence[float] = ()) -> tuple[list[float], list[float]]:
    """Return the intervals' ends; where there is none, the value itself."""
    middle = middle or one.y
    low = [at if end is None else end for end, at in zip(one.low, middle, strict=True)]
    high = [at if end is None else end for end, at in zip(one.high, middle, strict=True)]
    return low, high


def legend(
    figure: Figure,
    chart: Chart,
    looks: Mapping[str, LookOf],
    columns: int,
    place: tuple[float, float],
) -> None:
    """Put the figure's legend below its title."""
    shown = {one.name: one for panel in reversed(chart.panels) for one in panel.series}
    labelled = list(_labelled(chart).items())
    # Columns are filled from the top; names are read along the rows.
    order = [at for column in range(columns) for at in range(column, len(labelled), columns)]
    named = dict(labelled[at] for at in order)
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
    from matplotlib.transforms import ScaledTranslation

    own = looks(panel.series)
    handles = [_handle(one, own[one.name]) for one in panel.series]
    numbers = [str(number) for number in range(len(handles))]
    place = axes.transAxes + ScaledTranslation(0, -BELOW, axes.figure.dpi_scale_trans)
    box = axes.legend(
        handles,
        numbers,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=place,
        borderaxespad=0,
    )
    _name(box, [one.label or one.name for one in panel.series])


def _handle(one: Series, look: LookOf) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if one.look == "bars":
        return Patch(facecolor=look.colour, alpha=_solid(one))
    marked = one.look == "points" or len(one.x) == 1
    return Line2D(
        [],
        [],
        color=look.colour,
        linestyle=look.dash,
        marker=look.marker if marked else "",
        markersize=4.5,
    )


def _name(box: Any, names: Sequence[str]) -> None:
    """Give a legend its texts: matplotlib leaves out what begins with an underscore."""
    for text, name in zip(box.get_texts(), names, strict=True):
        text.set_text(shortened(name))
