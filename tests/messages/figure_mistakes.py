"""Mistakes of `uniapl figure`: what it is given, and what it is asked to show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistake import Mistake, of_command

COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "figure, no such run": ("figure curves absent", ("got",)),
    "figure, one run twice": ("figure curves run run", ("got",)),
    "figure, a metric that no run has": (
        "figure curves run --show gradnorm",
        ("got", "allowed", "suggestion"),
    ),
    "figure, a run without gradients of terms": ("figure cosines run", ("key", "got")),
    "figure, no such analysis": ("figure lengths absent", ("got",)),
    "figure, a file of something else": ("figure logprobs demo.jsonl", ("got", "allowed")),
    "figure, another analysis": ("figure logprobs lengths.json", ("got", "allowed")),
    "figure, an analysis of another version": ("figure lengths old.json", ("got", "allowed")),
    "figure, an analysis that is not whole": ("figure lengths lengths.json", ("got",)),
    "figure, a sweep without amounts": ("figure sweep gt=run", ("got",)),
    "figure, an amount that is no number": ("figure sweep gt:low=run", ("got",)),
    "figure, a sweep of nothing": ("figure sweep", ()),
    "figure, no such evaluation": ("figure bars sft=absent", ("got",)),
    "figure, a figure of another kind": ("figure sweep --published 2", ("got", "allowed")),
    "figure, where nothing can be written": (
        "figure curves run --out demo.jsonl/a",
        ("got",),
    ),
}


def beside_files(line: str, fields: tuple[str, ...]) -> Mistake:
    """A command line beside a run and analyses."""

    def provoke() -> str | None:
        Path("run").mkdir()
        write("run/metrics.jsonl", {"version": 2, "step": 1, "loss": 1.0, "grad_norm": 2.0})
        write("lengths.json", {"version": 1, "kind": "lengths", "models": {"a": {}}})
        write("old.json", {"version": 0, "kind": "lengths"})
        return of_command(line, *fields).provoke()

    return Mistake(provoke, fields)


def write(path: str, value: dict[str, Any]) -> None:
    Path(path).write_text(json.dumps(value) + "\n", encoding="utf-8")


MISTAKES = {name: beside_files(*row) for name, row in COMMANDS.items()}
