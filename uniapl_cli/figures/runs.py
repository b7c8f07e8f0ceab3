"""The logged metrics of runs, as curves over steps; of several seeds, as means with bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError, RunError
from uniapl_cli.evaluation.seeds import split_seed, summary
from uniapl_cli.figures.chart import Series
from uniapl_cli.figures.names import legible
from uniapl_cli.figures.smooth import smooth, window
from uniapl_cli.files import is_number
from uniapl_cli.runs.directory import RunDirectory


@dataclass(frozen=True)
class Run:
    """A run's name and the lines of its metrics and of its validation, each with its `step`."""

    name: str
    rows: Sequence[Mapping[str, Any]]

    @property
    def metrics(self) -> dict[str, None]:
        """The names of its metrics, in order."""
        return {name: None for row in self.rows for name in row if name != "step"}

    def curve(self, metric: str) -> dict[int, float]:
        """Return the values by step, without those that are no finite numbers."""
        known = [row for row in self.rows if is_number(row["step"]) and is_number(row.get(metric))]
        return {row["step"]: row[metric] for row in known}


def read_runs(arguments: Iterable[str | Path]) -> list[Run]:
    """Read run directories, each as itself or as NAME=DIRECTORY. Raises DataError.

    A last line that a kill tore is passed over.
    """
    named = [split_name(str(argument)) for argument in arguments]
    return [Run(name, _rows(path)) for name, path in _distinct(named)]


def split_name(argument: str) -> tuple[str, Path]:
    """Return NAME and PATH of NAME=PATH; of a path, "" and itself."""
    name, equals, path = argument.partition("=")
    if equals and name and not Path(argument).exists():
        return name, Path(path)
    return "", Path(argument)


def _distinct(named: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Name each by its folder, and by more of its path where that is another's name too."""
    found = []
    unnamed = {path.absolute() for name, path in named if not name}
    for name, path in named:
        parts, whole = 1, path.absolute()
        alike = unnamed - {whole}
        while any(other.parts[-parts:] == whole.parts[-parts:] for other in alike):
            parts += 1
        found.append((legible(name or "/".join(whole.parts[-parts:])), path))
    for index, (name, _) in enumerate(found):
        if any(name == other for other, _ in found[:index]):
            advice = "Give each run once, or names of its own: NAME=DIRECTORY"
            raise DataError(f"two runs are called '{name}'", advice, got=name)
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    directory = RunDirectory(path.parent if path.name == "metrics.jsonl" else path)
    if not directory.metrics.is_file():
        advice = "Name a folder that uniapl train wrote"
        raise DataError(f"no metrics.jsonl in '{directory.path}'", advice, got=str(path))
    rows = logged_rows(directory)
    if not rows:
        raise DataError(f"'{directory.metrics}' has no whole line yet", got=str(path))
    return rows


def logged_rows(directory: RunDirectory) -> list[dict[str, Any]]:
    """Return the lines of metrics, and behind them those of validation. Raises DataError.

    Validation's metrics are called `validation/NAME`.
    """
    try:
        rows, validated = directory.logged(), directory.validated()
    except RunError as error:
        # Its own advice is for who trains into the directory.
        raise DataError(error.problem, where=error.where, got=error.got) from None
    for row in validated:
        rows.append({n if n == "step" else f"validation/{n}": value for n, value in row.items()})
    return rows


def series(
    runs: Sequence[Run], metric: str, *, over_seeds: bool, width: int | None, name: str = ""
) -> list[Series]:
    """Return a curve a run that has the metric, smoothed, or a mean with a band a model."""
    if over_seeds:
        return [_band(*group, metric, width, name) for group in seeds(runs, metric)]
    found = []
    for run in runs:
        if curve := run.curve(metric):
            values = tuple(curve.values())
            smoothed = smooth(values, width or window(len(values)))
            raw = values if smoothed != values else ()
            steps = tuple(map(float, curve))
            found.append(Series(name or run.name, steps, smoothed, raw=raw))
    return found


def seeds(runs: Sequence[Run], metric: str) -> list[tuple[str, list[Run]]]:
    """Return the runs that have a metric by their names without a trailing `-SEED`."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.curve(metric):
            groups.setdefault(split_seed(run.name)[0], []).append(run)
    return list(groups.items())


def _band(model: str, runs: Sequence[Run], metric: str, width: int | None, name: str) -> Series:
    """Return the mean of smoothed curves, at the steps that all of them have, and its interval."""
    curves = []
    for run in runs:
        curve = run.curve(metric)
        values = smooth(tuple(curve.values()), width or window(len(curve)))
        curves.append(dict(zip(curve, values, strict=True)))
    steps = [step for step in curves[0] if all(step in curve for curve in curves)]
    if not steps:
        raise DataError(f"the runs of '{model}' have no step of {metric} in common", got=model)
    found = [summary([curve[step] for curve in curves]) for step in steps]
    ends = [one["interval"] or (None, None) for one in found]
    several = len(runs) > 1
    label = f"{name or model} ({len(runs)} seeds)" if several else f"{name or model} (1 run)"
    return Series(
        name or model,
        tuple(map(float, steps)),
        tuple(one["mean"] for one in found),
        tuple(low for low, _ in ends) if several else (),
        tuple(high for _, high in ends) if several else (),
        label=label,
    )


def said(width: int | None, over_seeds: bool) -> str:
    """Return the note on how curves were made."""
    # A window has as many steps before as after.
    near = f"{width | 1} logged steps" if width else "5% of a curve's logged steps"
    lines = f"Thick lines: means over {near} around each; thin: as logged."
    if width == 1:
        lines = "As logged."
    if over_seeds:
        lines = "As logged." if width == 1 else f"Smoothed over {near} around each."
        lines += " Lines: means over seeds; bands: 95% intervals (Student's t), cut at the edge."
    return lines
