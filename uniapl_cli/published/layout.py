"""The paper's tables with our evaluations in them, beside the published figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.report import read_evaluations
from uniapl_cli.evaluation.results import NAME
from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.evaluation.seeds import split_seed, summary
from uniapl_cli.published.contradictions import contradictions, marks
from uniapl_cli.published.digits import SIZES
from uniapl_cli.published.sheet import Cell, Series, Sheet
from uniapl_cli.published.table import Published, Table, table, tables

PUBLISHED, MEASURED = "published", "measured"


@dataclass(frozen=True)
class Result:
    """What eval wrote, and the paper's run that it stands beside; "" is none."""

    evaluation: Mapping[str, Any]
    run: str = ""


@dataclass(frozen=True)
class _Figure:
    """A share, what it may be off by, and what must be said of it."""

    mean: float | None
    spread: float | None = None
    notes: tuple[str, ...] = ()


def lay_out(number: int, results: Sequence[Result], over_seeds: bool = False) -> Sheet:
    """Return a table of the paper, with each result behind the run that it belongs to.

    A result without such a run in this table stands at its end. With `over_seeds` those whose names
    differ by a trailing `-SEED` are one, with means and 95% intervals. Raises DataError.
    """
    one = table(number)
    for result in results:
        check_run(result.run)
    notes = _Notes()
    mine = list(_grouped(results) if over_seeds else _each(results))
    series: list[Series] = []
    for run in one.runs:
        series.append(_published(one, run, notes))
        series += [_measured(one, result, notes) for result in mine if result.run == run.run]
    series += [_measured(one, result, notes) for result in mine if one.run(result.run) is None]
    labels = {measure.of: measure.label for measure in one.measures}
    title = f"Table {number}: {one.title}"
    return Sheet(number, title, one.by_column, labels, series, notes.in_order())


def read_results(arguments: Sequence[str]) -> list[Result]:
    """Read eval.json files, or folders that have one, each as itself or as RUN=PATH.

    Raises DataError.
    """
    results = []
    for argument in arguments:
        run, path = "", argument
        if "=" in argument and not Path(argument).exists():
            run, _, path = argument.partition("=")
            check_run(run)
        file = Path(path) / NAME if Path(path).is_dir() else Path(path)
        results.append(Result(read_evaluations([file])[0], run))
    return results


def check_run(run: str) -> None:
    """Raise DataError for the name of a run that is in none of the tables."""
    if run and run not in _runs():
        raise unknown("run of the paper", run, _runs(), DataError)


def _runs() -> set[str]:
    return {mine.run for one in tables() for mine in one.runs}


def _belongs(name: str) -> str:
    """Return the paper's run that a result is named after, with or without a seed behind it."""
    return name if name in _runs() else split_seed(name)[0]


class _Notes:
    """Notes under a table: of the paper by the numbers of contradictions, of ours by letters."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._ours: dict[str, str] = {}

    def in_order(self) -> dict[str, str]:
        """Return the notes on the paper by their numbers, then those on ours."""
        marks = sorted(self.texts, key=lambda mark: (mark.isalpha(), len(mark), mark))
        return {mark: self.texts[mark] for mark in marks}

    def published(self, number: int) -> str:
        self.texts[str(number)] = contradictions()[number - 1].what
        return str(number)

    def measured(self, text: str) -> str:
        if text not in self._ours:
            self._ours[text] = _letters(len(self._ours))
            self.texts[self._ours[text]] = text
        return self._ours[text]


def _letters(index: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    last = chr(ord("a") + index % 26)
    return last if index < 26 else _letters(index // 26 - 1) + last


def _published(one: Table, run: Published, notes: _Notes) -> Series:
    cells = {
        measure: Cell(
            value,
            marks=tuple(map(notes.published, marks().get((one.number, run.run, measure), ()))),
        )
        for measure, value in run.values.items()
    }
    return Series(one.named(run.run), PUBLISHED, run.run, cells)


@dataclass(frozen=True)
class _Named:
    """A result's figures by measure, under its label, and the run that it may belong to."""

    label: str
    run: str
    figures: Mapping[str, _Figure]


def _each(results: Sequence[Result]) -> Iterator[_Named]:
    """Return label, run and figures of each result and draw."""
    for result in results:
        name = result.evaluation["name"]
        draws = _draws(result.evaluation)
        for draw in draws:
            label = f"{name} ({draw})" if len(draws) > 1 else name
            yield _Named(label, result.run or _belongs(name), _figures(result.evaluation, draw))


def _grouped(results: Sequence[Result]) -> Iterator[_Named]:
    """Return label, run and figures over the seeds of each name."""
    groups: dict[tuple[str, str], dict[str | None, Result]] = {}
    for result in results:
        name, seed = split_seed(result.evaluation["name"])
        for draw in _draws(result.evaluation):
            group = groups.setdefault((name, draw), {})
            if seed in group:
                problem = f"'{result.evaluation['name']}' is given twice; each seed counts once"
                raise DataError(problem, got=result.evaluation["name"])
            group[seed] = result
    for (name, draw), group in groups.items():
        several = sum(other == name for other, _ in groups) > 1
        seeds = f"{len(group)} seed{'s' if len(group) > 1 else ''}"
        label = f"{name} ({draw}, {seeds})" if several else f"{name} ({seeds})"
        run = next((result.run for result in group.values() if result.run), name)
        yield _Named(label, run, _over([_figures(r.evaluation, draw) for r in group.values()]))


def _over(seeds: Sequence[Mapping[str, _Figure]]) -> dict[str, _Figure]:
    over = {}
    for measure in seeds[0]:
        figures = [seed[measure] for seed in seeds]
        found = summary([figure.mean for figure in figures])
        half = (found["interval"][1] - found["interval"][0]) / 2 if found["interval"] else None
        notes = dict.fromkeys(note for figure in figures for note in figure.notes)
        few = [f"of {found['n']} seeds"] if 0 < found["n"] < len(seeds) else []
        over[measure] = _Figure(found["mean"], half, (*notes, *few))
    return over


def _draws(result: Mapping[str, Any]) -> list[str]:
    """Return the draws in which a benchmark of the tables was measured; one that has none, else."""
    columns = [name for names in means()[AVERAGE].values() for name in names]
    benchmarks = result.get("benchmarks", {})
    found = [draw for name in columns for draw in benchmarks.get(name, {}).get("draws", {})]
    return list(dict.fromkeys(found)) or [""]


def _figures(result: Mapping[str, Any], draw: str) -> dict[str, _Figure]:
    """Return a result's figures on all benchmarks of the tables, and its means."""
    of_means = result.get("domains", {}).get(draw, {})
    single = {
        column: _benchmark(result.get("benchmarks", {}), column, names, draw)
        for column, names in means()[AVERAGE].items()
    }
    return single | {
        mean: _mean(of_means.get(mean), [single[column] for column in columns])
        for mean, columns in means().items()
    }


def _mean(found: Mapping[str, Any] | None, members: Sequence[_Figure]) -> _Figure:
    """Return one of the means, with what must be said of its benchmarks, or why it is none."""
    if found is None:
        return _Figure(None)
    if found["mean"] is None:
        return _Figure(None, None, (found["why"],) if found.get("why") else ())
    notes = dict.fromkeys(note for figure in members for note in figure.notes)
    return _Figure(found["mean"], found["se"], tuple(notes))


def _benchmark(
    measured: Mapping[str, Any], column: str, names: Sequence[str], draw: str
) -> _Figure:
    name = next((name for name in names if draw in measured.get(name, {}).get("draws", {})), None)
    if name is None:
        return _Figure(None)
    found = measured[name]
    estimate = found["draws"][draw]["metrics"].get(found["main"])
    notes = []
    if found["rows"] < found["of"]:
        notes.append(f"only {found['rows']} of {found['of']} rows of {found['title']}")
    if (known := SIZES.get(column)) and found["of"] not in known:
        notes.append(f"{found['of']} rows of {found['title']} were at hand, it has {max(known)}")
    if refused := sum(found["refused"].values()):
        notes.append(f"{refused} rows of {found['title']} were refused")
    if name != column:
        notes.append(f"{found['title']} in the place of {benchmarks[column].definition.title}")
    if estimate is None or estimate["mean"] is None:
        return _Figure(None, None, tuple(notes))
    return _Figure(estimate["mean"], estimate["se"], tuple(notes))


def _measured(one: Table, result: _Named, notes: _Notes) -> Series:
    cells = {measure.of: _cell(result.figures[measure.of], notes) for measure in one.measures}
    known = result.run if one.run(result.run) is not None else ""
    return Series(f"ours: {result.label}", MEASURED, known, cells)


def _cell(figure: _Figure, notes: _Notes) -> Cell:
    marked = tuple(notes.measured(note) for note in figure.notes)
    if figure.mean is None:
        return Cell(marks=marked)
    spread = "" if figure.spread is None else f"{100 * figure.spread:.2f}"
    return Cell(f"{100 * figure.mean:.2f}", spread, marked)
