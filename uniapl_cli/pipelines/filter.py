"""Keeps the rows whose response follows its constraints: streamed, in their order."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from uniapl_cli.data import BadRow, BadRows, RowReader
from uniapl_cli.data.columns import prompt
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, replacing
from uniapl_cli.options import MISSING, FilePath, Options, key
from uniapl_cli.pipelines.choosers import CHOOSERS, Keep
from uniapl_cli.pipelines.filter_worker import JudgedRow, Mode, Worker, judging
from uniapl_cli.pipelines.pairs import Pairs
from uniapl_cli.pipelines.repeats import Repeats
from uniapl_cli.pipelines.workers import Workers
from uniapl_cli.runs.console import Bar
from uniapl_cli.runs.signals import on_stop
from uniapl_cli.sandbox import Sandbox
from uniapl_cli.verifiers.text import share_warning

CutOff = Literal["reject", "keep"]

# Rows that go to a worker together.
CHUNK = 128


class FilterOptions(Options):
    """uniapl filter-gt: keep the responses that pass their verifiers."""

    responses: FilePath = key(MISSING, "JSONL with responses")
    constraints: FilePath | None = key(None, "JSONL with the prompts' constraints, if kept apart")
    out: FilePath = key(MISSING, "JSONL of the rows that pass")
    rejected: FilePath | None = key(None, "JSONL of the others, with the ids they fail")
    pairs: FilePath | None = key(
        None, "JSONL for DPO: a prompt's passing responses beside failing ones"
    )
    mode: Mode = key("strict", "which verdict decides")
    choice: Keep = key("all", "of a prompt's passing responses")
    cut_off: CutOff = key("reject", "responses that were cut off, by their finish_reason")
    workers: int | None = key(None, "processes; null takes all cores", ge=1, le=1024)


@dataclass
class FilterCounts:
    """Counts of the rows that were judged."""

    rows: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    repeats: Repeats = field(default_factory=Repeats)

    def add(self, row: JudgedRow, passed: bool) -> None:
        """Count a row."""
        self.repeats.add(row.prompt_digest ^ row.response_digest)
        self.rows["passed" if passed else "rejected"] += 1
        self.rows["without constraints"] += not row.constrained
        self.rows["cut off"] += not row.finished
        self.failures.update(set(row.failed))
        self.errors.update(row.errors)

    def summary(self, kept: int, bad: int) -> dict[str, Any]:
        """Return the counts as the verb reports them."""
        return {
            "kept": kept,
            "rejected": self.rows["rejected"],
            "passed over": self.rows["passed"] - kept,
            "bad rows": bad,
            "duplicates": self.repeats.count(),
            "without constraints": self.rows["without constraints"],
            "cut off": self.rows["cut off"],
            "rejected by id": dict(self.failures.most_common()),
            "errors by id": dict(self.errors.most_common()),
        }


def filter_rows(
    chunks: Iterable[list[JudgedRow]],
    out: Path,
    rejected: Path | None,
    bad: BadRows,
    progress: Bar,
    *,
    choice: Keep = "all",
    cut_off: CutOff = "reject",
    pairs: Path | None = None,
) -> dict[str, Any]:
    """Write the rows that pass to `out`, the others to `rejected`, and return the counts.

    A row without constraints cannot be verified: it is rejected and counted as such. So is one
    whose response was cut off, unless `cut_off` keeps it. Of the rows of one prompt that pass,
    `choice` says which are kept. `pairs` gets passing responses beside
    failing ones, whatever `choice` keeps. All files appear only when every row is judged.
    """
    counts = FilterCounts()
    with on_stop(f"'{out}' is as it was: filter-gt starts anew"), ExitStack() as files:
        kept = files.enter_context(replacing(out))
        rejects = files.enter_context(replacing(rejected)) if rejected else None
        paired = files.enter_context(replacing(pairs)) if pairs else None
        opened = (kept, rejects, paired)
        chooser, pair_writer = CHOOSERS[choice](kept), Pairs(paired) if paired else None
        for row in chain.from_iterable(chunks):
            progress.advance()
            if row.bad is not None:
                bad.add(row.bad)
                continue
            passed = row.passed and (row.finished or cut_off == "keep")
            counts.add(row, passed)
            if pair_writer and row.for_pairs:
                pair_writer.add(row.for_pairs)
            if passed:
                chooser.add(row)
            elif rejects:
                rejects.write(row.line)
        chooser.close()
        for file in filter(None, opened):
            file.flush()  # so that a full disk leaves all of them as they were
    summary = counts.summary(chooser.kept, len(bad.rows))
    return summary | (pair_writer.summary() if pair_writer else {})


def prompt_text(row: Row) -> str:
    """Return a row's prompt as one text, by which two files are joined."""
    return "\n".join(message.content for message in prompt(row))


def with_constraints(
    rows: Iterable[Row | BadRow], constraint_rows: Iterable[Row]
) -> Iterator[Row | BadRow]:
    """Yield the rows with the columns that another file holds for their prompt's text.

    A row whose prompt the other file does not have stays as it is. How the other file's own
    responses ended is not taken. Raises DataError if two rows of
    the other file have one prompt and different columns.
    """
    by_prompt: dict[str, Mapping[str, Any]] = {}
    for other in constraint_rows:
        columns = {name: v for name, v in other.values.items() if name != "finish_reason"}
        earlier = by_prompt.setdefault(prompt_text(other), columns)
        if _without_key(earlier) != _without_key(columns):
            raise DataError(
                "another row has the same prompt and other constraints, so it is not known which "
                "of the two a response answers",
                "Put both files' columns into one",
                where=other.origin,
            )
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield Row(row.origin, {**by_prompt.get(prompt_text(row), {}), **row.values})
        except DataError as error:
            yield BadRow(row.values, error)


def _without_key(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("key", "id")}


@contextmanager
def judged_chunks(
    rows: Iterable[Row | BadRow],
    workers: int,
    reader: RowReader,
    mode: Mode,
    with_pairs: bool,
    start: Callable[[Sequence[str]], Sandbox],
    plugins: Sequence[Path] = (),
) -> Iterator[Iterator[list[JudgedRow]]]:
    """Judge rows in `workers` processes while the block runs; with one worker, in this process.

    `start` must be picklable, and the module that defines it should not import torch. `plugins` are
    files that other processes load first.
    """
    if workers == 1:
        worker = Worker(reader, mode, with_pairs, start)
        try:
            yield map(worker, _chunks(rows))
        finally:
            worker.judge.close()
        return
    warned = multiprocessing.get_context("spawn").Value("b", 0)
    share_warning(warned)
    options = (reader, mode, with_pairs, start, plugins, warned)
    with Workers(workers, judging, options) as processes:
        yield processes.map(_chunks(rows))


def _chunks(rows: Iterable[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
