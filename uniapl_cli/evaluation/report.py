"""Tables of evaluations side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.evaluation.results import NAME, VERSION, draws_of, is_whole, mains_of

Columns = list[str]
Rows = list[list[str]]

# The metrics that a comparison shows by default, if they were measured.
DEFAULT = ("prompt_strict", "topic", "score", "length_ratio")
PERCENT = ("prompt_strict", "prompt_loose", "inst_strict", "inst_loose", "topic", "truncated")


def read_evaluations(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Read folders that eval wrote, or their eval.json.

    Raises DataError, also for a file of another version.
    """
    return [_read(file) for file in files]


def _read(path: Path) -> dict[str, Any]:
    file = path / NAME if path.is_dir() else path
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        read = {key: result[key] for key in ("name", "model", "data", "draws")}
        read |= {key: result[key] for key in ("benchmarks", "domains") if key in result}
    except OSError as error:
        raise DataError(f"cannot read '{file}': {error.strerror}", got=str(file)) from None
    except (ValueError, KeyError, TypeError):
        problem = f"'{file}' is no eval.json that uniapl eval wrote"
        raise DataError(problem, got=str(file)) from None
    if (version := result.get("version")) != VERSION:
        raise DataError(
            f"'{file}' is of version {version or 1}, and this uniapl reads {VERSION}",
            "Run uniapl eval again",
            got=version or 1,
            allowed=[str(VERSION)],
        )
    if not is_whole(result):
        raise DataError(f"'{file}' is not whole", "Run uniapl eval again", got=str(file))
    return read


def compare(results: Sequence[Mapping[str, Any]], show: Sequence[str]) -> tuple[Columns, Rows]:
    """Return a row a model and a column a `draws/metric`."""
    measured = measured_by(results)
    for name in show:
        if name not in measured:
            raise unknown("column", name, measured, DataError)
    chosen = list(show) or headline(results)
    rows = [[result["name"], *(_cell(result, name) for name in chosen)] for result in results]
    return ["model", *(name.replace("/", " ").replace("_", " ") for name in chosen)], rows


def measured_by(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names `draws/metric` of all that was measured."""
    names = {
        f"{draws}/{metric}": 0
        for result in results
        for draws, metrics in draws_of(result).items()
        for metric in metrics
    }
    return list(names)


def headline(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of what a comparison shows if it is not told."""
    mains = {main for result in results for main in (*mains_of(result), *result.get("mains", ()))}
    return [
        name for name in measured_by(results) if name.partition("/")[2] in DEFAULT or name in mains
    ]


def in_percent(name: str) -> bool:
    """Whether `draws/metric` is a share, which tables show in percent."""
    draws, _, metric = name.rpartition("/")
    return "/" in draws or metric in PERCENT


def compare_seeds(
    results: Sequence[Mapping[str, Any]], show: Sequence[str]
) -> tuple[Columns, Rows]:
    """Return `compare`'s table of rows over seeds, with a column for the number of seeds."""
    columns, rows = compare(results, show)
    for row, result in zip(rows, results, strict=True):
        n = len(result["seeds"])
        row.insert(1, str(n) if n > 1 else "1, no interval")
    return [columns[0], "seeds", *columns[1:]], rows


def one_model(result: Mapping[str, Any]) -> tuple[Columns, Rows]:
    """Return a row a metric and a column a way of sampling."""
    draws = result["draws"]
    names = {metric: 0 for metrics in draws.values() for metric in metrics}
    rows = [
        [name.replace("_", " "), *(_cell(result, f"{draw}/{name}") for draw in draws)]
        for name in names
    ]
    return ["", *draws], rows


def scores(result: Mapping[str, Any]) -> tuple[Columns, Rows]:
    """Return a row a benchmark and draw, with its rule and the shares not read or cut off."""
    columns = ["benchmark", "draw", "score", "95%", "rows", "unread", "cut off", "rule"]
    rows = [
        [
            measured["title"],
            draw,
            figure(found["metrics"].get(measured["main"])),
            interval(found["metrics"].get(measured["main"])),
            _count(measured, found),
            share(found["unread"]),
            share(found["cut"]),
            measured["rule"],
        ]
        for measured in result["benchmarks"].values()
        for draw, found in measured["draws"].items()
    ]
    return columns, rows


def stacked(columns: Columns, rows: Rows) -> tuple[Columns, Rows]:
    """Return the table of `scores` with fewer columns: two lines a row, for a narrow terminal."""
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    own = ("rows", "unread", "cut off")
    return ["benchmark, draw, rule", "score", *own], [
        [
            f"{row['benchmark']}, {row['draw']}\n{row['rule']}",
            f"{row['score']}\n{row['95%']}",
            *(row[name] for name in own),
        ]
        for row in found
    ]


def means(result: Mapping[str, Any]) -> tuple[Columns, Rows]:
    """Return a row a draw, with those of the paper's means that all their benchmarks are in."""
    draws = result["domains"]
    every = dict.fromkeys(name for found in draws.values() for name in found)
    names = [n for n in every if any(found[n]["mean"] is not None for found in draws.values())]
    if not names:
        return [], []
    rows = [[draw, *(figure(found[name]) for name in names)] for draw, found in draws.items()]
    return ["draw", *names], rows


def _count(measured: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    part = "" if measured["rows"] == measured["of"] else f" of {measured['of']}"
    refused = sum(measured["refused"].values())
    more = [f"{refused} refused"] if refused else []
    more += [f"{found['errors']} not judged"] if found["errors"] else []
    return f"{measured['rows']}{part}" + (f" ({', '.join(more)})" if more else "")


def figure(estimate: Mapping[str, Any] | None) -> str:
    """Return a share in percent with its standard error."""
    if estimate is None or estimate["mean"] is None:
        return "-"
    error = "" if estimate["se"] is None else f" ± {estimate['se'] * 100:.1f}"
    return f"{estimate['mean'] * 100:.1f}{error}"


def interval(estimate: Mapping[str, Any] | None) -> str:
    """Return a share's 95% interval in percent."""
    if estimate is None or not estimate.get("interval"):
        return "-"
    low, high = (end * 100 for end in estimate["interval"])
    return f"{low:.1f} to {high:.1f}"


def share(value: float | None) -> str:
    """Return a share in percent."""
    return "-" if value is None else f"{value * 100:.1f}%"


def _cell(result: Mapping[str, Any], name: str) -> str:
    draws, _, metric = name.rpartition("/")
    estimate = draws_of(result).get(draws, {}).get(metric)
    if estimate is None or estimate["mean"] is None:
        return "-"
    scale, digits = (100, 1) if in_percent(name) else (1, 2)
    mean = f"{estimate['mean'] * scale:.{digits}f}"
    spread = _spread(estimate)
    cell = mean if spread is None else f"{mean} ± {spread * scale:.{digits}f}"
    missing = len(estimate.get("values", ())) - estimate["n"]
    return cell if missing <= 0 else f"{cell} (n={estimate['n']})"


def _spread(estimate: Mapping[str, Any]) -> float | None:
    """Return half the interval over seeds, or the standard error of one evaluation."""
    if "values" not in estimate:
        return estimate["se"]
    interval = estimate["interval"]
    return None if interval is None else (interval[1] - interval[0]) / 2
