"""The section of figures, each an SVG in the page."""

from __future__ import annotations

from collections.abc import Iterator

from uniapl_cli.errors import DataError, RunError
from uniapl_cli.evaluation.seeds import split_seed
from uniapl_cli.figures.chart import Chart
from uniapl_cli.figures.curves import curves, default
from uniapl_cli.figures.runs import Run
from uniapl_cli.figures.svg import inline
from uniapl_cli.pages import study
from uniapl_cli.pages.html import Html, element
from uniapl_cli.runs.directory import RunDirectory


def figures(found: study.Study) -> list[Html]:
    """Return the training curves of all runs. Raises DataError for metrics that cannot be read."""
    return [_figure(chart, number) for number, chart in enumerate(_charts(found))]


def _charts(found: study.Study) -> Iterator[Chart]:
    runs = [run for run in map(_logged, found.runs) if run.rows]
    over_seeds = len({split_seed(run.name)[0] for run in runs}) < len(runs)
    if default([name for run in runs for name in run.metrics]):
        yield curves(runs, over_seeds=over_seeds)


def _logged(run: study.Run) -> Run:
    """Return a run's metrics; none where it has not logged a step yet."""
    try:
        return Run(run.name, RunDirectory(run.folder).logged())
    except RunError as error:
        # Its own advice is for who trains into the directory.
        raise DataError(error.problem, where=error.where, got=error.got) from None


def _figure(chart: Chart, number: int) -> Html:
    """Return a figure in a box that scrolls where the figure is wider than the window."""
    drawn = Html(inline(chart, f"figure{number}"))
    box = element(
        "div", drawn, class_="scrolls", tabindex="0", role="region", aria_label=chart.title
    )
    return element("figure", box, class_="table chart")
