"""Two evaluations beside each other: what was measured alike, and by how much the models differ."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.evaluation.benchmarks import Benchmark, Graded, Item, benchmarks
from uniapl_cli.evaluation.estimates import Column, estimate
from uniapl_cli.evaluation.paired import SEED, Paired, mean_interval, paired
from uniapl_cli.evaluation.report import figure, share
from uniapl_cli.evaluation.results import NAME, SAMPLES, VERSION, is_whole
from uniapl_cli.evaluation.scores import domains, members
from uniapl_cli.files import Row, read_rows
from uniapl_cli.registry import KIND

# What of a benchmark decides its scores beside the model and the decoding.
ALIKE = ("rule", "options", "rows", "refused", "digest")
ANEW = "Grade the answers again with uniapl eval --grade-only"


@dataclass(frozen=True)
class Evaluation:
    """What eval wrote into a folder: its figures, and the graded answers by benchmark and draw."""

    file: Path
    result: Mapping[str, Any]
    graded: Mapping[tuple[str, str], Sequence[Graded]]

    def draws(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Return what was measured of each benchmark and draw."""
        return {
            (name, draw): found
            for name, measured in self.result["benchmarks"].items()
            for draw, found in measured["draws"].items()
        }


def read(path: Path) -> Evaluation:
    """Read a folder that eval wrote, or its eval.json. Raises DataError."""
    file = path / NAME if path.is_dir() else path
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        version = result.get("version")
        known = "benchmarks" in result and is_whole(result)
    except OSError as error:
        raise DataError(f"cannot read '{file}': {error.strerror}", got=str(file)) from None
    except (ValueError, AttributeError):
        version, known = None, False
    if version != VERSION or not known:
        problem = f"'{file}' is no {NAME} that this uniapl's eval wrote"
        raise DataError(problem, "Run uniapl eval again", got=version, allowed=[str(VERSION)])
    graded: dict[tuple[str, str], list[Graded]] = {}
    for row in read_rows(file.with_name(SAMPLES)):
        place, one = _graded(row)
        graded.setdefault(place, []).append(one)
    return Evaluation(file, result, graded)


def _graded(row: Row) -> tuple[tuple[str, str], Graded]:
    """Return a row's benchmark and draw, and what its marks are computed from."""
    values = row.values
    try:
        marks = {name: (float(t), float(c)) for name, (t, c) in values["marks"].items()}
        item = Item(values["id"], (), values.get("subset", ""))
        place = (values["benchmark"], values["draws"])
        return place, Graded(item, values.get("turn", 0), values.get("sample", 0), marks, None)
    except (KeyError, TypeError, ValueError, AttributeError):
        problem = f"no row of {SAMPLES} that this uniapl's eval wrote"
        raise DataError(problem, ANEW, where=row.origin, got=list(values)) from None


def differences(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the table of the benchmarks' differences, in percentage points."""
    columns = ["benchmark", "A", "B", "B - A", "95% interval", "only A", "only B", "prompts"]
    rows = [
        [
            name if one["metric"] == one["main"] else f"{name} {one['metric']}",
            share(one["mean_first"]),
            share(one["mean_second"]),
            *_points(one),
            str(one["only_first"]),
            str(one["only_second"]),
            str(one["n"]),
        ]
        for name, one in result["benchmarks"].items()
    ]
    return columns, rows


def means(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the table of the means that all their benchmarks are in."""
    rows = [
        [f"{mean}/{draw}", *_points(one)]
        for draw, found in result["domains"].items()
        for mean, one in found.items()
        if one["difference"] is not None
    ]
    return ["mean", "B - A", "95% interval"], rows


def _points(one: Mapping[str, Any]) -> tuple[str, str]:
    if one["low"] is None:
        return figure({"mean": one["difference"], "se": one["se"]}), "-"
    interval = f"{one['low'] * 100:+.1f} to {one['high'] * 100:+.1f}"
    return figure({"mean": one["difference"], "se": one["se"]}), interval


def compare(first: Evaluation, second: Evaluation, metric: str | None = None) -> dict[str, Any]:
    """Return the paired differences, second less first, by benchmark and draw, and domain means.

    metric: of the benchmarks that have it, which the domain means then leave out; None is each
    one's main metric. Raises DataError for what was not measured alike, and where nothing was
    measured by both.
    """
    theirs = second.draws()
    common = _common(first, second, metric)
    _check_alike(first, second, common)
    found = {place: _difference(first, second, place, metric) for place in common}
    return {
        "first": str(first.file),
        "second": str(second.file),
        "benchmarks": {
            f"{name}/{draw}": {
                **_about(first, second, (name, draw), metric),
                **one.plain(),
            }
            for (name, draw), one in found.items()
        },
        "domains": {
            draw: _domains(first, {name: one for (name, of), one in found.items() if of == draw})
            for draw in dict.fromkeys(draw for _, draw in common)
            if metric is None
        },
        "only_in_one": sorted(
            f"{name}/{draw}" for name, draw in first.draws().keys() ^ theirs.keys()
        ),
    }


def _common(first: Evaluation, second: Evaluation, metric: str | None) -> list[tuple[str, str]]:
    """Return the benchmarks and draws that both have measured, by a metric. Raises DataError."""
    mine, theirs = first.draws(), second.draws()
    common = [place for place in mine if place in theirs]
    if not common:
        raise DataError(
            f"'{first.file}' and '{second.file}' have no benchmark and draw in common",
            got=[f"{name}/{draw}" for name, draw in mine],
            allowed=[f"{name}/{draw}" for name, draw in theirs],
        )
    if metric is None:
        return common
    names = sorted({name for place in common for name in mine[place]["metrics"]})
    if metric not in names:
        raise unknown("metric", metric, names, DataError)
    return [place for place in common if metric in mine[place]["metrics"]]


def _check_alike(first: Evaluation, second: Evaluation, places: Sequence[tuple[str, str]]) -> None:
    """Raise DataError for the first thing in which the measurements of a benchmark differ."""
    for name, draw in places:
        pairs: Iterator[tuple[str, Any, Any]] = (
            (what, *(one.result["benchmarks"][name].get(what) for one in (first, second)))
            for what in ALIKE
        )
        decoding = [one.draws()[name, draw].get("decoding") for one in (first, second)]
        for what, ours, theirs in (*pairs, ("decoding", *decoding)):
            if ours != theirs:
                raise DataError(
                    f"'{first.file}' and '{second.file}' measured {name}/{draw} by another "
                    f"{what}: {_short(ours, theirs)} and {_short(theirs, ours)}",
                    "Measure both models alike",
                    key=what,
                    got=theirs,
                    allowed=[str(ours)],
                )


def _short(value: Any, other: Any) -> str:
    """Return what of a value differs from another."""
    if isinstance(value, dict) and isinstance(other, dict):
        names = [name for name in value if value[name] != other.get(name)]
        return ", ".join(f"{name}={_short(value[name], other.get(name))}" for name in names) or "-"
    return str(value)[:60]


def _difference(
    first: Evaluation, second: Evaluation, place: tuple[str, str], metric: str | None
) -> Paired:
    name, draw = place
    seed = SEED + zlib.crc32(f"{name}/{draw}".encode())
    columns = [_columns(one, place, metric) for one in (first, second)]
    return paired(columns[0], columns[1], seed)


def _columns(evaluation: Evaluation, place: tuple[str, str], metric: str | None) -> list[Column]:
    """Return the columns of a metric. Raises DataError if they give another mean."""
    measured = evaluation.result["benchmarks"][place[0]]
    name = metric or measured["main"]
    mean = measured["draws"][place[1]]["metrics"][name]["mean"]
    metrics = _benchmark(measured).metrics(evaluation.graded.get(place, ()))
    columns = metrics.get(name, [])
    if mean is not None and not math.isclose(estimate(columns).mean, mean, abs_tol=1e-9):
        problem = f"'{evaluation.file}' and its {SAMPLES} are not of one evaluation"
        raise DataError(problem, ANEW, got="/".join(place))
    return columns


def _benchmark(measured: Mapping[str, Any]) -> Benchmark:
    """Return the benchmark by whose metrics the answers count."""
    kind = measured["rule"].partition("/")[0]
    options = benchmarks.options(kind, **{KIND: kind, **measured["options"]})
    assert isinstance(options, Benchmark), "the base of all benchmarks"
    return options


def _about(
    first: Evaluation, second: Evaluation, place: tuple[str, str], metric: str | None
) -> dict[str, Any]:
    """Return the two scores that are compared."""
    measured = first.result["benchmarks"][place[0]]
    name = metric or measured["main"]
    scores = [one.draws()[place]["metrics"][name]["mean"] for one in (first, second)]
    about = {name: measured[name] for name in ("title", "rule", "main")}
    return {**about, "metric": name, "mean_first": scores[0], "mean_second": scores[1]}


def _domains(first: Evaluation, found: Mapping[str, Paired]) -> dict[str, Any]:
    """Return the differences of the paper's means that all their benchmarks are in."""
    mains = {
        name: ({"mean": one.plain()["difference"], "se": one.plain()["se"]}, _partial(first, name))
        for name, one in found.items()
    }
    means: dict[str, Any] = {}
    for domain, mean in domains(mains).items():
        known = mean["mean"] is not None
        parts = [found[name] for name in members(mains)[domain]] if known else []
        low, high = mean_interval(parts) if parts else (None, None)
        why = {} if known else {"why": mean["why"]}
        means[domain] = {"difference": mean["mean"], "se": mean["se"], "low": low, "high": high}
        means[domain] |= why
    return means


def _partial(evaluation: Evaluation, name: str) -> bool:
    measured = evaluation.result["benchmarks"][name]
    return measured["rows"] < measured["of"] or bool(measured["refused"])
