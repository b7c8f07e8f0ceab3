"""Keep the rows whose response its verifiers accept: streamed, in their order."""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from uniapl_cli.data import BadRow, BadRows
from uniapl_cli.data.columns import prompt
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, replacing
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.pipelines.filter_worker import Filtered, Mode, Worker, start_worker, work
from uniapl_cli.pipelines.pairs import Pairs
from uniapl_cli.pipelines.repeats import Repeats
from uniapl_cli.runs.console import Bar
from uniapl_cli.sandbox import Sandbox

Keep = Literal["all", "first", "shortest"]

# Rows that go to a worker together, and such chunks that wait for each worker.
CHUNK, WAITING = 128, 3


class FilterOptions(Options):
    """uniapl filter-gt: keep the responses that pass their verifiers."""

    responses: str = key(MISSING, "JSONL with responses")
    constraints: str | None = key(None, "JSONL with the prompts' constraints, if kept apart")
    out: str = key(MISSING, "JSONL of the rows that pass")
    rejected: str | None = key(None, "JSONL of the others, with the ids they fail")
    pairs: str | None = key(None, "JSONL for DPO: a prompt's passing responses beside failing ones")
    mode: Mode = key("strict", "which verdict decides")
    choice: Keep = key("all", "of a prompt's passing responses")
    workers: int | None = key(None, "processes; null takes all cores", ge=1)

    @model_validator(mode="after")
    def _refuse_same_file(self) -> Self:
        taken = {Path(self.out): "kept rows"}
        for name, what in {"rejected": "rejected rows", "pairs": "pairs"}.items():
            path: str | None = getattr(self, name)
            if path is not None and Path(path) in taken:
                raise ValueError(
                    f"{taken[Path(path)]} and {what} cannot share '{path}': set filter.{name}"
                )
            if path is not None:
                taken[Path(path)] = what
        return self


@dataclass
class Tally:
    """Counts of a filter's run."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    repeats: Repeats = field(default_factory=Repeats)

    def add(self, row: Filtered) -> None:
        """Count a row that was judged."""
        self.repeats.add(row.prompt ^ row.response)
        self.counts["passed" if row.passed else "rejected"] += 1
        self.counts["without constraints"] += not row.constrained
        self.failures.update(set(row.failed))
        self.errors.update(row.errors)

    def summary(self, kept: int, bad: int) -> dict[str, Any]:
        """Return the counts as the verb reports them."""
        return {
            "kept": kept,
            "rejected": self.counts["rejected"],
            "passed over": self.counts["passed"] - kept,
            "bad rows": bad,
            "duplicates": self.repeats.count(),
            "without constraints": self.counts["without constraints"],
            "rejected by id": dict(self.failures.most_common()),
            "errors by id": dict(self.errors.most_common()),
        }


def filter_rows(
    chunks: Iterable[list[Filtered]],
    out: Path,
    rejected: Path | None,
    bad: BadRows,
    progress: Bar,
    *,
    choice: Keep = "all",
    pairs: Path | None = None,
) -> dict[str, Any]:
    """Write the rows that pass to `out`, the others to `rejected`, and return the counts.

    A row without constraints cannot be verified: it is rejected and counted as such. Of the rows of
    one prompt that pass, `choice` keeps all, the first, or the shortest response (which holds one
    row a prompt in memory). `pairs` gets passing responses beside failing ones, whatever `choice`
    keeps. All files appear only when all is done.
    """
    tally, kept = Tally(), 0
    shortest: dict[int, Filtered] = {}
    chosen: set[int] = set()
    with ExitStack() as files:
        keep = files.enter_context(replacing(out))
        drop = files.enter_context(replacing(rejected)) if rejected else None
        pairing = Pairs(files.enter_context(replacing(pairs))) if pairs else None
        for row in (row for chunk in chunks for row in chunk):
            progress.advance()
            if row.bad is not None:
                bad.add(row.bad)
                continue
            tally.add(row)
            if pairing and row.half:
                pairing.add(row.half)
            if not row.passed:
                if drop:
                    drop.write(row.line)
            elif choice == "shortest":
                best = shortest.setdefault(row.prompt, row)
                shortest[row.prompt] = min(best, row, key=lambda r: r.length)
            elif choice == "all" or row.prompt not in chosen:
                if choice == "first":
                    chosen.add(row.prompt)
                keep.write(row.line)
                kept += 1
        for row in shortest.values():
            keep.write(row.line)
            kept += 1
    made = pairing.summary() if pairing else {}
    return {**tally.summary(kept, len(bad.rows)), **made}


def prompt_text(row: Row) -> str:
    """Return a row's prompt as one text, by which two files are joined."""
    return "\n".join(message.content for message in prompt(row))


def joined(
    rows: Iterable[Row | BadRow],
    constraint_rows: Iterable[Row],
    text: Callable[[Row], str] = prompt_text,
) -> Iterator[Row | BadRow]:
    """Give each row the columns that another file holds for its prompt's text.

    A row whose prompt the other file does not have stays as it is. Raises DataError where the other
    file says two things of one prompt.
    """
    by_prompt: dict[str, Mapping[str, Any]] = {}
    for other in constraint_rows:
        if _without_key(by_prompt.setdefault(text(other), other.values)) != _without_key(
            other.values
        ):
            raise DataError(
                "another row has the same prompt and other constraints, so a response cannot be "
                "told which it answers",
                "Put both files' columns into one",
                where=other.origin,
            )
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield Row(row.origin, {**by_prompt.get(text(row), {}), **row.values})
        except DataError as error:
            yield BadRow(row.values, error)


def _without_key(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("key", "id")}


@contextmanager
def judged(
    rows: Iterable[Row | BadRow],
    workers: int,
    layout: str,
    mode: Mode,
    halves: bool,
    start: Callable[[], Sandbox],
    plugins: Sequence[Path] = (),
) -> Iterator[Iterator[list[Filtered]]]:
    """Judge rows while the block runs, in as many processes as there are workers; 1 is this one.

    `start` must be picklable, and where it is defined should import no torch. `plugins` are files
    that other processes load first.
    """
    if workers == 1:
        worker = Worker(layout, mode, halves, start)
        try:
            yield in_chunks(rows, worker, None, 1)
        finally:
            worker.judge.close()
        return
    context = multiprocessing.get_context("spawn")
    setting = (layout, mode, halves, start, plugins)
    with ProcessPoolExecutor(workers, context, start_worker, setting) as executor:
        yield in_chunks(rows, work, executor, workers)


def in_chunks(
    rows: Iterable[Row | BadRow],
    work: Callable[[list[Row | BadRow]], list[Filtered]],
    executor: Executor | None,
    workers: int,
) -> Iterator[list[Filtered]]:
    """Yield the chunks' results in order; no more chunks are read than the workers can hold."""
    source = iter(rows)
    waiting: deque[Future[list[Filtered]]] = deque()
    while chunk := list(islice(source, CHUNK)):
        if executor is None:
            yield work(chunk)
            continue
        waiting.append(executor.submit(work, chunk))
        if len(waiting) >= WAITING * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
