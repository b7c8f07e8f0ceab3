"""The axes of a panel: their scales, ticks and ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uniapl_cli.figures import style
from uniapl_cli.figures.chart import Panel
from uniapl_cli.figures.names import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The axis of curves, which has whole numbers.
STEP = "step"
# A share of the lines' range that is left free around it.
MARGIN = 0.06
# So many decades have ticks at 1, 2 and 5; more have them at powers of 10.
FEW_DECADES = 2.0


def places_of(panel: Panel) -> dict[float, float]:
    """Return where the numbers of a scale of amounts stand: 0 is a decade below the others."""
    if panel.x_scale != "amounts":
        return {}
    amounts = sorted({x for one in panel.series for x in one.x})
    decades = {x: math.log10(x) for x in amounts if x > 0}
    first = min(decades.values(), default=0.0)
    return {x: decades.get(x, first - 1) for x in amounts}


def set_scales(axes: Axes, panel: Panel, places: Mapping[float, float]) -> None:
    """Set the scales, ticks and ranges of a panel whose series are drawn."""
    if places:
        _amounts(axes, places)
    elif panel.x == STEP:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    if panel.y_scale == "log" and any(y > 0 for one in panel.series for y in one.y):
        _log(axes, panel)
    if panel.categories:
        _categories(axes, panel)
    _range(axes, panel)


def _amounts(axes: Axes, places: Mapping[float, float]) -> None:
    axes.set_xticks(list(places.values()), [_short(x) for x in places])
    axes.set_xlim(min(places.values()) - 0.3, max(places.values()) + 0.3)
    if 0 in places and len(places) > 1:
        # The axis has a gap there.
        middle = places[0] + 0.5
        axes.axvline(middle, color=style.INK, linewidth=0.8, alpha=0.4, linestyle=":")


def _short(x: float) -> str:
    """Return 1e-5 for 0.00001, 0.001 for itself."""
    return f"{x:g}".replace("e-0", "e-").replace("e+0", "e")


def _log(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    known = [y for one in panel.series for y in (*one.y, *one.raw) if y > 0]
    few = math.log10(max(known) / min(known)) < FEW_DECADES
    axes.set_yscale("log", nonpositive="clip")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def _categories(axes: Axes, panel: Panel) -> None:
    names = [shortened(name, 36) for name in panel.categories]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    if any(one.look == "bars" for one in panel.series):
        axes.margins(x=0.1)  # room for the numbers
        values = [x for one in panel.series for x in (*one.x, *one.low) if x is not None]
        if min(values) >= 0:
            axes.set_xlim(left=0, right=None if max(values) else 1.0)


def _range(axes: Axes, panel: Panel) -> None:
    if panel.x_range:
        axes.set_xlim(*panel.x_range)
    if panel.y_range:
        axes.set_ylim(*panel.y_range)
    elif any(one.look == "density" for one in panel.series):
        axes.set_ylim(bottom=0)
    elif (found := y_range(panel)) is not None:
        axes.set_ylim(*found)


def y_range(panel: Panel) -> tuple[float, float] | None:
    """Return the range of a panel with lines: the lines', and of bands as much again on each side.

    So a band of two seeds, which may be a hundred times as wide as the lines, does not flatten
    them. Intervals of points are whole, but shares end at 100%.
    """
    shown = [one for one in panel.series if one.look in ("line", "points")]
    log = panel.y_scale == "log"
    lines = _known([y for one in shown for y in (*one.y, *one.raw)], log)
    bands = _known([y for one in shown for y in (*one.low, *one.high)], log)
    whole = [y for one in shown if one.look == "points" for y in (*one.low, *one.high)]
    lines += _known(whole, log)
    if not lines:
        return None
    low, high = min(lines), max(lines)
    span = (high - low) or abs(high) * 0.1 or 1.0
    low, high = (
        min(low, max(min(bands, default=low), low - span)),
        max(high, min(max(bands, default=high), high + span)),
    )
    pad = MARGIN * ((high - low) or span)
    low, high = low - pad, high + pad
    if log:
        return 10**low, 10**high
    if panel.y == "%" and all(y <= 100 for one in shown for y in one.y):
        high = min(high, 101.0)
    return low, high


def _known(values: Sequence[float | None], log: bool) -> list[float]:
    known = [value for value in values if value is not None]
    return [math.log10(value) for value in known if value > 0] if log else known
