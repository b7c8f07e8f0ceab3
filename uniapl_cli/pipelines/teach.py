"""Teacher responses for prompts: appended as they come, so that a restart goes on where it was."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError, TeacherError
from uniapl_cli.files import append_rows, drop_torn_line, read_rows, replacing, write_rows
from uniapl_cli.generation import Answer, Failure, Question, Teacher
from uniapl_cli.options import MISSING, Options, key, section
from uniapl_cli.runs.console import bar
from uniapl_cli.seeding import derive
from uniapl_cli.types import Example, Sampling

log = logging.getLogger("uniapl")

# Rows gathered before one append, which waits for the disk; after some seconds, fewer will do.
APPEND_ROWS = 64
APPEND_SECONDS = 1.0
OTHERWISE = "Delete it, or set another teach.out"


class TeachOptions(Options):
    """uniapl teacher-gen: responses for prompts."""

    prompts: str = key(MISSING, "JSONL with the prompts")
    out: str = key(MISSING, "JSONL to write; rows that are there already are kept")
    samples: int = key(1, "responses a prompt", ge=1)
    max_failures: int = key(0, "prompts a server may fail at before the run stops", ge=0)
    sampling: Sampling = section(Sampling, "how the teacher's tokens are drawn")


def teach(
    examples: Sequence[Example],
    teacher: Teacher,
    sampling: Sampling,
    out: Path,
    *,
    samples: int,
    seed: int,
    model: str,
    made: Mapping[str, Any],
    max_failures: int = 0,
) -> dict[str, Any]:
    """Write `samples` responses a prompt to `out` and return the counts.

    Each row is the prompt's own row plus response, sample, model, finish_reason, prompt_tokens and
    response_tokens. Rows that `out` already holds are kept. At the end the file is put in the
    order of the prompts, so an interrupted run and an uninterrupted one leave the same file.
    `made` is what else decides the responses; rows made in another way are refused. Raises
    TeacherError at the first failure beyond `max_failures`.
    """
    unique_ids(examples)
    facts = {"model": model, "seed": seed, "sampling": sampling.model_dump(), **made}
    store = _Store(out, facts)
    done = store.resume(examples)
    questions, owners = [], []
    for example in examples:
        missing = [i for i in range(samples) if (example.id, i) not in done]
        if missing:
            seeds = tuple(derive(seed, "teach", example.id, i) for i in missing)
            questions.append(Question(example.prompt, seeds, example.origin))
            owners.append((example, missing))
    total = len(examples) * samples
    tally = _Tally(max_failures)
    with (
        store,
        bar("teacher", total, total - sum(len(m) for _, m in owners)) as progress,
        closing(teacher.answer(questions, sampling)) as results,
    ):
        for place, sample, result in results:
            example, missing = owners[place]
            tally.count(result, example.origin)
            if isinstance(result, Answer):
                store.add(_row(example, missing[sample], result, model))
                progress.advance(1, tally.note())
    return {**_finish(out, examples, len(done)), "failed": tally.failed}


@dataclass
class _Tally:
    """What has come of the questions so far."""

    max_failures: int
    rows: int = 0
    tokens: int = 0
    truncated: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    def count(self, result: Answer | Failure, origin: str) -> None:
        """Count a result. Raises TeacherError for a failure too many."""
        if isinstance(result, Answer):
            self.rows += 1
            self.tokens += result.response_tokens
            self.truncated += result.finish_reason == "length"
            return
        self.failed += 1
        if self.failed > self.max_failures:
            raise TeacherError(
                result.reason,
                "All answers so far are kept: repeat the command to go on, or let some prompts "
                "fail with teach.max_failures",
                where=origin,
            )
        log.warning("%s: %s; left for the next run", origin, result.reason)

    def note(self) -> str:
        """Return the pace as a progress bar shows it."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        said = f"{self.rows / seconds:.1f} rows/s  {self.tokens / seconds:.0f} tokens/s"
        said += f"  {self.truncated} truncated" if self.truncated else ""
        return said + (f"  {self.failed} failed" if self.failed else "")


def unique_ids(examples: Sequence[Example]) -> None:
    """Refuse two rows of one id, since a restart tells rows apart by it. Raises DataError."""
    seen: dict[str, str] = {}
    for example in examples:
        if example.id in seen:
            raise DataError(
                f"id '{example.id}' stands at {seen[example.id]} too",
                "Give each row a 'key' of its own",
                where=example.origin,
                got=example.id,
            )
        seen[example.id] = example.origin


def _row(example: Example, sample: int, answer: Answer, model: str) -> dict[str, Any]:
    return {
        **example.row,
        "key": example.id,
        "sample": sample,
        "response": answer.text,
        "model": model,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "response_tokens": answer.response_tokens,
    }


class _Store:
    """The file of responses, and beside it the record of how they were made.

    As a context it writes what is still waiting when the block ends, in whatever way.
    """

    def __init__(self, out: Path, facts: Mapping[str, Any]) -> None:
        self.out, self.facts = out, facts
        self.record = out.with_name(f"{out.name}.meta.json")
        self.waiting: list[dict[str, Any]] = []
        self.wrote = time.monotonic()

    def resume(self, examples: Sequence[Example]) -> set[tuple[str, int]]:
        """Return the rows that are there; refuse those of another model, way or prompt."""
        if not self.out.exists():
            return set()
        if not self.record.exists():
            problem = f"'{self.out}' was not written by teacher-gen"
            raise DataError(problem, OTHERWISE, got=str(self.out))
        if json.loads(self.record.read_text(encoding="utf-8")) != self.facts:
            raise DataError(
                f"'{self.out}' holds responses made in another way ({self.record.name} says how)",
                OTHERWISE,
                got=str(self.out),
            )
        if drop_torn_line(self.out):
            log.warning("%s: an unfinished last line was cut off", self.out)
        asked = {example.id: example.row for example in examples}
        done = set()
        for row in read_rows(self.out):
            id = row.values["key"]
            now = asked.get(id, row.values)
            if any(row.values.get(name) != now.get(name) for name in ("prompt", "messages")):
                problem = f"the prompt of '{id}' is another now"
                raise DataError(problem, OTHERWISE, where=row.origin, got=id)
            done.add((id, row.values["sample"]))
        return done

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; a number of them are written at a time."""
        self.waiting.append(row)
        late = time.monotonic() - self.wrote >= APPEND_SECONDS
        if late or len(self.waiting) >= APPEND_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are waiting."""
        if not self.waiting:
            return
        rows, self.waiting = self.waiting, []
        with replacing(self.record) as file:
            file.write(json.dumps(self.facts, indent=1) + "\n")
        append_rows(self.out, rows)
        self.wrote = time.monotonic()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.flush()


def _finish(out: Path, examples: Sequence[Example], resumed: int) -> dict[str, Any]:
    place = {example.id: number for number, example in enumerate(examples)}
    rows = [row.values for row in read_rows(out)] if out.exists() else []
    strangers = sum(row["key"] not in place for row in rows)
    rows.sort(key=lambda row: (place.get(row["key"], len(place)), row["sample"]))
    if rows:
        write_rows(out, rows)
    return {
        "rows": len(rows),
        "kept from before": resumed,
        "truncated": sum(row["finish_reason"] == "length" for row in rows),
        "prompt tokens": sum(row["prompt_tokens"] for row in rows),
        "response tokens": sum(row["response_tokens"] for row in rows),
        "of other prompts": strangers,
        "out": str(out),
    }
