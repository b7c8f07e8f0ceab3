"""Judges rows, in this process or in others; never imports torch, which would take seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from uniapl_cli.data import BadRow, RowReader
from uniapl_cli.data.columns import Build
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, dump
from uniapl_cli.pipelines.pairs import JudgedResponse, judged_response
from uniapl_cli.pipelines.repeats import digest
from uniapl_cli.plugins import load_plugins
from uniapl_cli.sandbox import Sandbox
from uniapl_cli.sandbox.folder import remove_own
from uniapl_cli.types import Example, Verdict
from uniapl_cli.verifiers import Case, Judge, trainable
from uniapl_cli.verifiers.text import Flag, share_warning

Mode = Literal["strict", "loose"]


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A row with its verdict, or a bad row.

    line: the row as it is written, with its verdict. failed: ids of the constraints that it does
    not follow. errors: ids of those that could not be judged. length: of the response, in
    characters. finished: whether the response was not cut off. for_pairs: what pairs need of the
    row, if it can be one side of one.
    """

    line: str
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    prompt_digest: int = 0
    response_digest: int = 0
    length: int = 0
    constrained: bool = True
    finished: bool = True
    for_pairs: JudgedResponse | None = None
    bad: BadRow | None = None

    @property
    def passed(self) -> bool:
        """True if the row has constraints and follows all of them."""
        return self.constrained and not self.failed


def judge_rows(
    rows: Sequence[Row | BadRow],
    reader: RowReader,
    build: Build,
    judge: Judge,
    mode: Mode,
    *,
    with_pairs: bool = False,
) -> list[JudgedRow]:
    """Read and judge some rows. Their lines have a column `verdict: {strict, loose[, errors]}`.

    `with_pairs` fills `JudgedRow.for_pairs`.
    """
    examples = [_read(row, reader, build) for row in rows]
    good = [example for example in examples if isinstance(example, Example)]
    cases = [Case(str(e.response), e.constraints, e.origin) for e in good]
    verdicts = iter(judge(cases))
    return [
        _judged(example, next(verdicts), mode, with_pairs)
        if isinstance(example, Example)
        else JudgedRow("", bad=example)
        for example in examples
    ]


def _read(row: Row | BadRow, reader: RowReader, build: Build) -> Example | BadRow:
    example = reader.read(row, build)
    if isinstance(example, Example) and example.response is None:
        advice = "Run uniapl teacher-gen first"
        error = DataError("no 'response' to judge", advice, where=example.origin)
        return BadRow(example.row, error)
    return example


def _judged(example: Example, verdict: Verdict, mode: Mode, with_pairs: bool) -> JudgedRow:
    ids = [constraint.id for constraint in example.constraints]
    decisive = verdict.strict if mode == "strict" else verdict.loose
    failed = [id for id, ok in zip(ids, decisive, strict=True) if not ok]
    verdicts: dict[str, Any] = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    if any(verdict.errors):
        verdicts["errors"] = list(verdict.errors)
    row = {**example.row, "verdict": verdicts}
    passed = ids and not failed and example.finished
    return JudgedRow(
        line=dump(row if passed else {**row, "failed": failed}),
        failed=failed,
        errors=[id for id, error in zip(ids, verdict.errors, strict=True) if error],
        prompt_digest=digest(example.prompt_text),
        response_digest=digest(str(example.response)),
        length=len(str(example.response)),
        constrained=bool(ids),
        finished=example.finished,
        for_pairs=judged_response(example, decisive, verdict.errors) if with_pairs else None,
    )


class Worker:
    """Judges chunks of rows with its own sandbox, which `start` makes when it is first needed."""

    def __init__(
        self,
        reader: RowReader,
        mode: Mode,
        with_pairs: bool,
        start: Callable[[Sequence[str]], Sandbox],
    ) -> None:
        self.reader, self.mode, self.with_pairs, self.judge = reader, mode, with_pairs, Judge(start)

    def __call__(self, rows: list[Row | BadRow]) -> list[JudgedRow]:
        """Judge some rows."""
        return judge_rows(
            rows, self.reader, trainable, self.judge, self.mode, with_pairs=self.with_pairs
        )


@contextmanager
def judging(
    reader: RowReader,
    mode: Mode,
    with_pairs: bool,
    start: Callable[[Sequence[str]], Sandbox],
    plugins: Sequence[Path],
    warned: Flag,
) -> Iterator[Worker]:
    """Make this process a worker while the block runs; `plugins` are files that it loads first.

    The worker ends with its parent, however that ends, and leaves an interrupt to it. Of the
    processes that share `warned`, one warns of missing tables.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    share_warning(warned)
    load_plugins(plugins)
    worker = Worker(reader, mode, with_pairs, start)
    try:
        yield worker
    finally:
        worker.judge.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker was started by another process"
    parent.join()
    _end()


def _end(*_: object) -> NoReturn:
    """End at once; the sandbox's processes notice, and its folder is removed."""
    remove_own()
    os._exit(128 + signal.SIGTERM)
