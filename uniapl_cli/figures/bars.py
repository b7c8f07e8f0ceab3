"""One measure of several models as bars: the paper's Figure 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.measured import NOTE, Point, check_data, metrics, point, read_results, unit
from uniapl_cli.figures.names import legible
from uniapl_cli.figures.runs import split_name

OURS, PAPER = "ours", "the paper's"
ABOUT = "The paper's Figure 2 also has Qwen3-32B and the teacher, which no table of it prints."
Models = Mapping[str, Sequence[Mapping[str, Any]]]
Row = tuple[str, str, Point]


def read_models(arguments: Sequence[str]) -> Models:
    """Read NAME=RESULTS, of which several of one name are seeds. Raises DataError."""
    models: dict[str, list[Mapping[str, Any]]] = {}
    for argument in arguments:
        name, path = split_name(argument)
        for result in read_results(str(path)):
            seeds = models.setdefault(legible(name or result["name"]), [])
            if any(result["name"] == other["name"] for other in seeds):
                problem = f"'{result['name']}' is given twice; each seed counts once"
                raise DataError(problem, got=result["name"])
            seeds.append(result)
    return models


def bars(models: Models, show: Sequence[str] = (), *, published: bool = False) -> Chart:
    """Return a bar a model, and a panel a metric; by default IFEval, or what is strictest.

    published: the paper's IFEval of its models too, in one panel with ours where that is IFEval.
    Raises DataError.
    """
    results = [one for seeds in models.values() for one in seeds]
    chosen = _chosen(results, show) if results else []
    theirs = _published() if published else []
    if not chosen and not theirs:
        raise DataError("nothing to draw", "Name NAME=RESULTS, or give --published 2")
    panels = []
    if theirs and not (len(chosen) == 1 and chosen[0].startswith("ifeval/")):
        panels.append(_panel("IFEval", theirs, "%"))
        theirs = []
    for name in chosen:
        check_data(results, name)
        mine = [(model, OURS, at) for model, seeds in models.items() if (at := point(seeds, name))]
        panels.append(_panel(name, _beside(theirs, mine), unit(name)))
    title = "IFEval of models" if published else "Models side by side"
    said = [NOTE] if results else []
    note = " ".join([*said, ABOUT] if published else said)
    return Chart("bars", title, tuple(panels), note)


def _chosen(results: Sequence[Mapping[str, Any]], show: Sequence[str]) -> list[str]:
    names = metrics(results, show)
    if show:
        return names
    of_ifeval = [name for name in names if name.startswith("ifeval/")]
    strict = [name for name in names if name.endswith("/prompt_strict")]
    if not names:
        raise DataError("nothing to show by default", "Choose with --show DRAWS/METRIC")
    return (of_ifeval or strict or names)[:1]


def _published() -> list[Row]:
    from uniapl_cli.figures import paper

    return [(run, PAPER, Point(value)) for run, (_, value) in paper.ifeval().items()]


def _beside(theirs: Sequence[Row], mine: Sequence[Row]) -> list[Row]:
    """Return all rows, ours below the paper's run of the same name, the others at the end."""
    rows = []
    for row in theirs:
        rows += [row, *(own for own in mine if own[0] == row[0])]
    runs = {row[0] for row in theirs}
    return rows + [own for own in mine if own[0] not in runs]


def _panel(title: str, rows: Sequence[Row], unit: str) -> Panel:
    series = []
    for whose in dict.fromkeys(whose for _, whose, _ in rows):
        own = [(index, at) for index, (_, of, at) in enumerate(rows) if of == whose]
        series.append(
            Series(
                whose,
                tuple(at.value for _, at in own),
                tuple(float(index) for index, _ in own),
                tuple(at.low for _, at in own),
                tuple(at.high for _, at in own),
                look="bars",
                ink=whose == PAPER,
            )
        )
    return Panel(title, tuple(series), unit, categories=tuple(_labels(rows)))


def _labels(rows: Sequence[Row]) -> list[str]:
    """Return the models' names, the paper's runs by its own."""
    if all(whose != PAPER for _, whose, _ in rows):
        return [name for name, _, _ in rows]
    from uniapl_cli.figures import paper

    labels = paper.ifeval()
    return [labels[name][0] if name in labels else name for name, _, _ in rows]
