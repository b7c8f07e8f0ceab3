"""Judges rows, in a process of its own or not. It imports no torch, which would take seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from uniapl_cli.data import BadRow, layouts, read_or_bad
from uniapl_cli.data.columns import Build
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, dump
from uniapl_cli.pipelines.pairs import Half, half
from uniapl_cli.pipelines.repeats import digest
from uniapl_cli.plugins import load_plugins
from uniapl_cli.sandbox import Sandbox
from uniapl_cli.types import Example, Verdict
from uniapl_cli.verifiers import Case, Judge, constraints

Mode = Literal["strict", "loose"]


@dataclass(frozen=True, slots=True)
class Filtered:
    """What became of a row. `line` is written of it; `errors` are ids that could not be judged."""

    line: str
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    prompt: int = 0
    response: int = 0
    length: int = 0
    constrained: bool = True
    half: Half | None = None
    bad: BadRow | None = None

    @property
    def passed(self) -> bool:
        """Whether every constraint is followed, of which there is at least one."""
        return self.constrained and not self.failed


def judge_rows(
    rows: Sequence[Row | BadRow],
    layout: str,
    build: Build,
    judge: Judge,
    mode: Mode,
    *,
    halves: bool = False,
) -> list[Filtered]:
    """Read and judge some rows. A row written carries `verdict: {strict, loose[, errors]}`.

    With `halves`, what pairs are made of comes along.
    """
    examples = [_read(row, layout, build) for row in rows]
    good = [example for example in examples if isinstance(example, Example)]
    cases = [Case(str(e.response), e.constraints, e.origin) for e in good]
    verdicts = iter(judge(cases))
    return [
        _filtered(example, next(verdicts), mode, halves)
        if isinstance(example, Example)
        else Filtered("", bad=example)
        for example in examples
    ]


def _read(row: Row | BadRow, layout: str, build: Build) -> Example | BadRow:
    example = read_or_bad(row, layouts[layout].definition, build)
    if isinstance(example, Example) and example.response is None:
        advice = "Run uniapl teacher-gen first"
        error = DataError("no 'response' to judge", advice, where=example.origin)
        return BadRow(example.row, error)
    return example


def _filtered(example: Example, verdict: Verdict, mode: Mode, halves: bool) -> Filtered:
    ids = [constraint.id for constraint in example.constraints]
    decisive = verdict.strict if mode == "strict" else verdict.loose
    failed = [id for id, ok in zip(ids, decisive, strict=True) if not ok]
    verdicts: dict[str, Any] = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    if any(verdict.errors):
        verdicts["errors"] = list(verdict.errors)
    row = {**example.row, "verdict": verdicts}
    return Filtered(
        line=dump(row if ids and not failed else {**row, "failed": failed}),
        failed=failed,
        errors=[id for id, why in zip(ids, verdict.errors, strict=True) if why],
        prompt=digest(example.prompt_text),
        response=digest(str(example.response)),
        length=len(str(example.response)),
        constrained=bool(ids),
        half=half(example, decisive, verdict.errors) if halves else None,
    )


class Worker:
    """Judges chunks of rows with a sandbox of its own, which `start` makes when it is needed."""

    def __init__(self, layout: str, mode: Mode, halves: bool, start: Callable[[], Sandbox]) -> None:
        self.layout, self.mode, self.halves, self.judge = layout, mode, halves, Judge(start)

    def __call__(self, rows: list[Row | BadRow]) -> list[Filtered]:
        """Judge some rows."""
        judged = (rows, self.layout, constraints, self.judge, self.mode)
        return judge_rows(*judged, halves=self.halves)


_worker: Worker | None = None


def start_worker(
    layout: str,
    mode: Mode,
    halves: bool,
    start: Callable[[], Sandbox],
    plugins: Sequence[Path],
) -> None:
    """Make this process a worker; `plugins` are files that it loads first."""
    global _worker
    load_plugins(plugins)
    _worker = Worker(layout, mode, halves, start)


def work(rows: list[Row | BadRow]) -> list[Filtered]:
    """Judge some rows in a process that was made a worker."""
    assert _worker is not None, "the pool's initializer has run"
    return _worker(rows)
