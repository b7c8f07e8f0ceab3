"""The section of figures, each an SVG in the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uniapl_cli.evaluation.report import headline
from uniapl_cli.evaluation.seeds import split_seed
from uniapl_cli.figures.bars import bars
from uniapl_cli.figures.chart import Chart
from uniapl_cli.figures.cosines import COSINE, cosines
from uniapl_cli.figures.curves import curves, default
from uniapl_cli.figures.distributions import lengths, logprobs
from uniapl_cli.figures.names import legible
from uniapl_cli.figures.runs import Run, logged_rows
from uniapl_cli.figures.svg import inline
from uniapl_cli.pages.html import Html, element
from uniapl_cli.pages.study import Run as Directory
from uniapl_cli.pages.study import Study, Written, by_data
from uniapl_cli.runs.directory import RunDirectory

# Of more models, or more metrics, bars say no more than the tables.
MODELS, METRICS = 20, 12


def figures(study: Study) -> list[Html]:
    """Return the figures of all that a study has. Raises DataError for what cannot be read."""
    charts = [*_results(study.evaluations), *_training(study.runs), *_analyses(study.analyses)]
    return [_figure(chart, number) for number, chart in enumerate(charts)]


def _results(evaluations: Sequence[Written]) -> Iterator[Chart]:
    """Yield the main figures of all models as bars, those on other data apart."""
    for _, group in by_data(evaluations):
        models: dict[str, list[Mapping[str, Any]]] = {}
        for one in group:
            models.setdefault(legible(split_seed(one.name)[0]), []).append(one.result)
        measured = headline([one.result for one in group])
        if 1 < len(models) <= MODELS and 0 < len(measured) <= METRICS:
            yield bars(models, measured)


def _training(directories: Sequence[Directory]) -> Iterator[Chart]:
    """Yield the curves of all runs, and the gradients of those that have logged them."""
    runs = [run for run in map(_logged, directories) if run.rows]
    if default(list(dict.fromkeys(name for run in runs for name in run.metrics))):
        yield curves(runs, over_seeds=_over_seeds(runs))
    measured = [run for run in runs if any(name.startswith(COSINE) for name in run.metrics)]
    if measured:
        yield cosines(measured, over_seeds=_over_seeds(measured))


def _analyses(analyses: Sequence[Written]) -> Iterator[Chart]:
    for one in analyses:
        drawn = {"lengths": lengths, "logprobs": logprobs}.get(one.file.stem)
        if drawn is not None:
            yield drawn(one.result)


def _over_seeds(runs: Sequence[Run]) -> bool:
    return len({split_seed(run.name)[0] for run in runs}) < len(runs)


def _logged(run: Directory) -> Run:
    """Return a run's metrics; none where it has not logged a step yet."""
    return Run(legible(run.name), logged_rows(RunDirectory(run.folder)))


def _figure(chart: Chart, number: int) -> Html:
    """Return a figure in a box that scrolls where the figure is wider than the window."""
    drawn = Html(inline(chart, f"figure{number}"))
    box = element(
        "div", drawn, class_="scrolls", tabindex="0", role="region", aria_label=chart.title
    )
    return element("figure", box, class_="table chart")
