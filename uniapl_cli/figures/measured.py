"""What eval measured, as points of a figure: one evaluation, or those of several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.evaluation.report import DEFAULT, in_percent, read_evaluations
from uniapl_cli.evaluation.results import NAME, draws_of, mains_of
from uniapl_cli.evaluation.seeds import summary

# The normal distribution's, for an interval of one evaluation over its prompts.
Z95 = 1.959964
NOTE = "Intervals: 95%, over seeds (Student's t) where there are several, else over prompts."


@dataclass(frozen=True)
class Point:
    """A mean and its 95% interval, None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


def read_results(path: str) -> list[dict[str, Any]]:
    """Read an eval.json, its folder, or those that a pattern with * finds. Raises DataError."""
    files = [_file(Path(path))]
    if not Path(path).exists() and has_magic(path):
        found = [_file(Path(one)) for one in sorted(glob(path))]  # noqa: PTH207
        files = [file for file in found if file.name == NAME]
    if not files:
        raise DataError(f"no evaluation is called '{path}'", got=path)
    return read_evaluations(files)


def _file(path: Path) -> Path:
    """Return the eval.json of a folder, or of a run's folder that has it in eval/."""
    there = [file for file in (path / NAME, path / "eval" / NAME) if file.exists()]
    return there[0] if there else path


def metrics(results: Sequence[Mapping[str, Any]], show: Sequence[str]) -> list[str]:
    """Return the metrics DRAWS/METRIC that are shown: those asked for, or the main ones.

    Raises DataError for one that was not measured.
    """
    known = {
        f"{draws}/{metric}": None
        for result in results
        for draws, found in draws_of(result).items()
        for metric in found
    }
    for name in show:
        if name not in known:
            raise unknown("metric", name, known, DataError)
    mains = {main for result in results for main in mains_of(result)}
    usual = [name for name in known if name.rpartition("/")[2] in DEFAULT or name in mains]
    return list(dict.fromkeys(show)) or usual


def check_data(results: Sequence[Mapping[str, Any]], name: str) -> None:
    """Raise DataError where a metric DRAWS/METRIC of prompts of one's own is of different ones."""
    draws, _, metric = name.rpartition("/")
    data = {one["data"]: one["name"] for one in results if metric in one["draws"].get(draws, {})}
    if len(data) > 1:
        listed = " and ".join(f"{whose} on {what}" for what, whose in data.items())
        problem = f"{name} was measured on different data: {listed}"
        raise DataError(problem, "Draw those on the same data", got=list(data))


def point(results: Sequence[Mapping[str, Any]], name: str) -> Point | None:
    """Return what one evaluation, or several seeds', found of DRAWS/METRIC, shares in percent."""
    draws, _, metric = name.rpartition("/")
    found = [draws_of(result).get(draws, {}).get(metric) for result in results]
    return over([one for one in found if one is not None], 100.0 if in_percent(name) else 1.0)


def over(estimates: Sequence[Mapping[str, Any]], scale: float = 1.0) -> Point | None:
    """Return one estimate with its interval over prompts, or several's mean over seeds."""
    known = [one for one in estimates if one["mean"] is not None]
    if not known:
        return None
    if len(known) > 1:
        found = summary([one["mean"] for one in known])
        return _scaled(found["mean"], found["interval"], scale)
    mean, error = known[0]["mean"], known[0].get("se")
    around = None if error is None else (mean - Z95 * error, mean + Z95 * error)
    return _scaled(mean, known[0].get("interval") or around, scale)


def _scaled(mean: float, interval: Sequence[float] | None, scale: float) -> Point:
    low, high = interval or (None, None)
    ends = [None if end is None else end * scale for end in (low, high)]
    return Point(mean * scale, *ends)


def unit(name: str) -> str:
    """Return what a metric DRAWS/METRIC is counted in."""
    if in_percent(name):
        return "%"
    return {"length": "tokens", "length_ratio": "times the reference's"}.get(
        name.rpartition("/")[2], ""
    )
