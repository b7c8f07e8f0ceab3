"""Writes eval.json, the file of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.files import is_number, replacing

VERSION = 3
# The figures; the responses to prompts of one's own; the graded answers to benchmarks.
NAME, RESPONSES, SAMPLES = "eval.json", "responses.jsonl", "samples.jsonl"
# All that lm-evaluation-harness reports of its tasks.
HARNESS = "harness.json"
# The folder of the benchmarks' answers as they came.
ANSWERS = "answers"


def write_evaluation(folder: Path, result: Mapping[str, Any]) -> None:
    """Write what was measured, with the version of the file's format."""
    with replacing(folder / NAME) as file:
        file.write(json.dumps({"version": VERSION, **result}, indent=1))


def is_whole(result: Mapping[str, Any]) -> bool:
    """Whether all that tables and figures take of an eval.json is there, and of its kind."""
    try:
        benchmarks = result.get("benchmarks", {}).values()
        names = [result["name"], result["model"], result["data"] or ""]
        names += [one[key] for one in benchmarks for key in ("title", "rule", "main")]
        estimates = [one for found in draws_of(result).values() for one in found.values()]
        estimates += [one for found in result.get("domains", {}).values() for one in found.values()]
        numbers = [number for one in estimates for number in _numbers(one)]
        for one in benchmarks:
            numbers += [one["rows"], one["of"], *one["refused"].values()]
            for found in one["draws"].values():
                numbers += [found["unread"], found["cut"], found["errors"]]
                numbers += _numbers(found["metrics"][one["main"]])
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    known = all(number is None or is_number(number) for number in numbers)
    return known and all(isinstance(name, str) for name in names)


def _numbers(estimate: Mapping[str, Any]) -> list[Any]:
    """Return an estimate's numbers. Raises KeyError, TypeError and ValueError."""
    low, high = estimate.get("interval") or (None, None)
    return [estimate["mean"], estimate["se"], estimate.get("n"), low, high]


def draws_of(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the metrics by draw; of benchmarks, by `benchmark/draw`."""
    return {
        **result["draws"],
        **{
            f"{name}/{draw}": scores["metrics"]
            for name, measured in result.get("benchmarks", {}).items()
            for draw, scores in measured["draws"].items()
        },
    }


def mains_of(result: Mapping[str, Any]) -> list[str]:
    """Return the names `benchmark/draw/metric` of the benchmarks' main metrics."""
    return [
        f"{name}/{draw}/{measured['main']}"
        for name, measured in result.get("benchmarks", {}).items()
        for draw in measured["draws"]
    ]
