"""Keep the rows whose response its verifiers accept: streamed, on all cores, in their order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from uniapl_cli.data.columns import Build
from uniapl_cli.data.examples import Tolerance, attempt
from uniapl_cli.data.layouts import layouts
from uniapl_cli.data.rows import BadRow
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, dump, replacing
from uniapl_cli.pipelines.pairs import Half, Pairs, half
from uniapl_cli.pipelines.repeats import Repeats, digest
from uniapl_cli.runs.console import Bar
from uniapl_cli.types import Example, Verdict
from uniapl_cli.verifiers import Case, Judge

Mode = Literal["strict", "loose"]
Choice = Literal["all", "first", "shortest"]

# Rows that go to a worker together, and such chunks that wait for each worker.
CHUNK, WAITING = 128, 3


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
    found = [_read(row, layout, build) for row in rows]
    good = [example for example in found if isinstance(example, Example)]
    cases = [Case(str(e.response), e.constraints, e.origin) for e in good]
    verdicts = iter(judge(cases))
    return [
        _filtered(example, next(verdicts), mode, halves)
        if isinstance(example, Example)
        else Filtered("", bad=example)
        for example in found
    ]


def _read(row: Row | BadRow, layout: str, build: Build) -> Example | BadRow:
    found = attempt(row, layouts[layout].make, build)
    if isinstance(found, Example) and found.response is None:
        missing = "no 'response' to judge; run uniapl teacher-gen first"
        return BadRow(found.row, f"{found.origin}: {missing}")
    return found


def _filtered(example: Example, verdict: Verdict, mode: Mode, halves: bool) -> Filtered:
    ids = [constraint.id for constraint in example.constraints]
    decisive = verdict.strict if mode == "strict" else verdict.loose
    failed = [id for id, ok in zip(ids, decisive, strict=True) if not ok]
    told: dict[str, Any] = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    if any(verdict.errors):
        told["errors"] = list(verdict.errors)
    row = {**example.row, "verdict": told}
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
    tolerance: Tolerance,
    progress: Bar,
    *,
    choice: Choice = "all",
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
                tolerance.take(row.bad)
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
    return {**tally.summary(kept, len(tolerance.bad)), **made}


def joined(
    rows: Iterable[Row | BadRow], owners: Iterable[Row], text: Callable[[Row], str]
) -> Iterator[Row | BadRow]:
    """Give each row the columns that another file holds for its prompt's text.

    A row whose prompt the other file does not have stays as it is. Raises DataError where the other
    file says two things of one prompt.
    """
    by_prompt: dict[str, Mapping[str, Any]] = {}
    for owner in owners:
        if _told(by_prompt.setdefault(text(owner), owner.values)) != _told(owner.values):
            raise DataError(
                f"{owner.origin}: another row has the same prompt and other constraints, so a "
                "response cannot be told which it answers: put both files' columns into one"
            )
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield Row(row.origin, {**by_prompt.get(text(row), {}), **row.values})
        except DataError as error:
            yield BadRow(row.values, str(error))


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("key", "id")}


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
