"""Measures over amounts of one setting, such as lambda_adv: the paper's Figures 5 and 6."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.measured import NOTE, Point, check_data, metrics, point, read_results, unit
from uniapl_cli.figures.names import legible

# SERIES -> X -> the evaluations of the seeds.
Groups = Mapping[str, Mapping[float, Sequence[Mapping[str, Any]]]]
AXIS = "\N{GREEK SMALL LETTER LAMDA}_adv"


def read_sweep(arguments: Sequence[str]) -> Groups:
    """Read SERIES:X=RESULTS, of which several of one series and X are seeds. Raises DataError."""
    groups: dict[str, dict[float, list[Mapping[str, Any]]]] = {}
    for argument in arguments:
        head, _, path = argument.partition("=")
        name, _, amount = head.rpartition(":")
        if not name or not path:
            advice = "Type SERIES:X=RESULTS, such as teacher:0.001=work/eval/teacher-3"
            raise DataError(
                f"'{argument}' names no series, amount and evaluation", advice, got=argument
            )
        x = _amount(amount, argument)
        groups.setdefault(legible(name), {}).setdefault(x, []).extend(read_results(path))
    for series in groups.values():
        for evaluations in series.values():
            names = [one["name"] for one in evaluations]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise DataError(f"'{twice}' is given twice; each seed counts once", got=twice)
    return groups


def _amount(text: str, argument: str) -> float:
    try:
        x = float(text)
    except ValueError:
        x = math.nan
    if not math.isfinite(x) or x < 0:
        advice = "Type SERIES:X=RESULTS, X a number from 0 on"
        raise DataError(f"'{argument}' has no amount X", advice, got=text)
    return x


def sweep(
    groups: Groups,
    show: Sequence[str] = (),
    *,
    axis: str = AXIS,
    published: int | None = None,
) -> Chart:
    """Return a panel a metric: means over seeds with 95% intervals, over amounts on a log axis.

    published: the paper's figure, 5 or 6, whose numbers are drawn too: in one panel with ours where
    these are of the same benchmarks and `show` asks for nothing else. Raises DataError.
    """
    results = [one for series in groups.values() for seeds in series.values() for one in seeds]
    panels: list[Panel] = []
    title, note = f"Over {axis}", NOTE if results else ""
    if published is not None:
        from uniapl_cli.figures import paper

        title = f"{paper.SWEEPS[published]} over {axis}, as in the paper's Figure {published}"
        note = f"{paper.ABOUT} {note}".strip()
        same = not show and all(paper.ours(one, published) for one in results)
        mine = _series(groups, lambda seeds: paper.point(list(seeds), published)) if same else ()
        shown = (*mine, *paper.sweep(published))
        panels.append(_panel(paper.MEANS[published], shown, axis, "%"))
        if same:
            return Chart("sweep", title, tuple(panels), note)
    elif not results:
        raise DataError("nothing to draw", "Name SERIES:X=RESULTS, or give --published 5 or 6")
    for name in metrics(results, show):
        check_data(results, name)
        shown = _series(groups, lambda seeds, name=name: point(seeds, name))  # type: ignore[misc]
        panels.append(_panel(name, shown, axis, unit(name)))
    return Chart("sweep", title, tuple(panels), note)


def _panel(title: str, shown: Sequence[Series], axis: str, unit: str) -> Panel:
    return Panel(title, tuple(shown), axis, unit, x_scale="amounts")


def _series(
    groups: Groups, of: Callable[[Sequence[Mapping[str, Any]]], Point | None]
) -> tuple[Series, ...]:
    found = []
    for name, by_amount in groups.items():
        points = {x: at for x, seeds in sorted(by_amount.items()) if (at := of(seeds)) is not None}
        if points:
            found.append(
                Series(
                    name,
                    tuple(points),
                    tuple(at.value for at in points.values()),
                    tuple(at.low for at in points.values()),
                    tuple(at.high for at in points.values()),
                    look="points",
                )
            )
    return tuple(found)
