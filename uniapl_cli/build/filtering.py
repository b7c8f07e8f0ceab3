"""A config to filter-gt."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from uniapl_cli.build import data
from uniapl_cli.build.checks import positive
from uniapl_cli.build.sandboxes import start_sandbox
from uniapl_cli.config import schema, stages
from uniapl_cli.config.load import require
from uniapl_cli.data import BadRow, layout_of, open_rows
from uniapl_cli.data.columns import prompt
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.pipelines.filter import Filtered, Mode, filter_rows, in_chunks, joined, judge_rows
from uniapl_cli.runs.console import bar
from uniapl_cli.sandbox import Sandbox
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.verifiers import Judge, constraints

# Fewer rows than this are judged sooner than more processes have started.
ALONE = 1000


def filter_gt(config: schema.Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Keep the rows of filter.responses that pass their verifiers."""
    require(config, ["filter"])
    given = config.filter
    positive(config, "filter.workers")
    apart(given)
    rows = open_rows(resolve(given.responses), config.data.split)
    source, telling = rows.attempts(), rows
    if given.constraints is not None:
        telling = open_rows(resolve(given.constraints), config.data.split)
        source = joined(source, telling, prompt_text)
    layout = layout_of(telling, config.data.layout)
    tolerance = data.tolerated(config)
    if dry_run:
        return {"rows": len(rows), "layout": layout, "out": given.out}
    workers = given.workers or os.cpu_count() or 1
    if len(rows) < ALONE:
        workers = 1
    with bar("filter", len(rows)) as shown:
        result = run(
            config,
            source,
            layout,
            workers,
            partial(
                filter_rows,
                out=Path(given.out),
                rejected=Path(given.rejected) if given.rejected else None,
                tolerance=tolerance,
                progress=shown,
                choice=given.choice,
                pairs=Path(given.pairs) if given.pairs else None,
            ),
        )
    data.report_bad(config, tolerance)
    return {**result, "out": given.out}


def apart(given: stages.Filter) -> None:
    """Refuse to write two things into one file. Raises DataError."""
    taken = {Path(given.out): "kept rows"}
    for name, what in {"rejected": "rejected rows", "pairs": "pairs"}.items():
        path: str | None = getattr(given, name)
        if path is not None and Path(path) in taken:
            raise DataError(
                f"{taken[Path(path)]} and {what} cannot share '{path}': set filter.{name}"
            )
        if path is not None:
            taken[Path(path)] = what


def run(
    config: schema.Config,
    rows: Iterable[Row | BadRow],
    layout: str,
    workers: int,
    write: Callable[[Iterable[list[Filtered]]], dict[str, Any]],
) -> dict[str, Any]:
    """Judge the rows here, or in as many processes as there are workers."""
    halves = config.filter.pairs is not None
    setting = (layout, config.filter.mode, halves, start_sandbox(config, workers=1))
    if workers == 1:
        worker = Worker(*setting)
        try:
            return write(in_chunks(rows, worker, None, 1))
        finally:
            worker.judge.close()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, setting) as executor:
        return write(in_chunks(rows, _work, executor, workers))


class Worker:
    """Judges chunks of rows with a sandbox of its own."""

    def __init__(self, layout: str, mode: Mode, halves: bool, start: Callable[[], Sandbox]) -> None:
        self.layout, self.mode, self.halves, self.judge = layout, mode, halves, Judge(start)

    def __call__(self, rows: list[Row | BadRow]) -> list[Filtered]:
        """Judge some rows."""
        judged = (rows, self.layout, constraints, self.judge, self.mode)
        return judge_rows(*judged, halves=self.halves)


_worker: Worker | None = None


def _start(layout: str, mode: Mode, halves: bool, start: Callable[[], Sandbox]) -> None:
    global _worker
    _worker = Worker(layout, mode, halves, start)


def _work(rows: list[Row | BadRow]) -> list[Filtered]:
    assert _worker is not None, "the pool's initializer has run"
    return _worker(rows)


def prompt_text(row: Row) -> str:
    """Return a row's prompt as one text, by which two files are joined."""
    return "\n".join(message.content for message in prompt(row))
