"""Writes eval.json, the file of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.files import replacing

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
    """Whether each benchmark of an eval.json has the main metric of each of its draws."""
    try:
        return all(
            "mean" in found["metrics"][measured["main"]]
            for measured in result.get("benchmarks", {}).values()
            for found in measured["draws"].values()
        )
    except (AttributeError, KeyError, TypeError):
        return False


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
