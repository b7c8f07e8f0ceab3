"""Asks a teacher for responses to prompts; answers are kept, so that a restart goes on."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.chat import thinking
from uniapl_cli.errors import DataError, TeacherError
from uniapl_cli.files import Row, dump, write_rows
from uniapl_cli.options import MISSING, Count, FilePath, Options, key, section
from uniapl_cli.runs.console import bar
from uniapl_cli.seeding import derive
from uniapl_cli.teachers import Answer, Failure, Question, Teacher
from uniapl_cli.teachers.teacher import Results, flaw
from uniapl_cli.types import Example, Progress, Sampling

log = logging.getLogger("uniapl")

OTHERWISE = "Delete the file, or set another teach.out"
# Columns that an answer has, and the answer of the prompt's own row, if there is one, had.
OF_AN_ANSWER = (
    *("key", "sample", "response", "model", "finish_reason", "prompt_tokens", "response_tokens"),
    *thinking.FIELDS,
)


class TeachOptions(Options):
    """uniapl teacher-gen: responses for prompts."""

    prompts: FilePath = key(MISSING, "JSONL with the prompts")
    out: FilePath = key(MISSING, "JSONL to write; rows that are there already are kept")
    samples: Count = key(1, "responses a prompt")
    keep_answers: bool = key(False, "a prompt's own answer becomes the column `reference`")
    max_failures: int = key(0, "responses that may fail to come before the run stops", ge=0)
    sampling: Sampling = section(Sampling, "how the teacher's tokens are drawn")


def teach(
    examples: Sequence[Example],
    load: Callable[[], Teacher],
    sampling: Sampling,
    out: Path,
    *,
    samples: int,
    seed: int,
    model: str,
    provenance: Mapping[str, Any],
    max_failures: int = 0,
) -> dict[str, Any]:
    """Write `samples` responses a prompt to `out` and return the counts.

    Each row is the prompt's own row plus response, sample, model, finish_reason, prompt_tokens and
    response_tokens. Rows that `out` already holds are kept. At the end the file is put in the
    order of the prompts, so an interrupted run and an uninterrupted one leave the same file, up to
    the rounding of a teacher's logits. It is loaded only if there is a question left for it.
    `provenance` is what decides the responses besides model, seed and sampling; rows made in
    another way are refused. Raises TeacherError at the first failure beyond `max_failures`.
    """
    unique_ids(examples)
    record = {"model": model, "seed": seed, "sampling": sampling.model_dump(), **provenance}
    counts = _Counts(max_failures)
    with AppendOnlyRows(out, record, "teach.out") as file:
        done = answered(file, examples)
        unanswered = unanswered_examples(examples, samples, done)
        questions = [_question(example, missing, seed) for example, missing in unanswered]
        total = len(examples) * samples
        remaining = sum(len(missing) for _, missing in unanswered)
        with (
            bar("teacher", total, total - remaining) as progress,
            closing(_results(load, questions, sampling, progress.tokens)) as results,
        ):
            for index, sample, result in results:
                example, missing = unanswered[index]
                if isinstance(result, Answer):
                    result = flaw(result.text, result.finish_reason) or result
                counts.add(result, example.origin)
                if isinstance(result, Answer):
                    file.add(_row(example, missing[sample], result, model))
                    progress.advance(1, counts.note())
        file.flush()
        totals = _finish(file, examples, len(done))
    if counts.failed and not totals["rows"]:
        raise counts.nothing()
    return {**totals, "failed": counts.failed, "failed by kind": dict(counts.failures)}


def answered(file: AppendOnlyRows, examples: Sequence[Example]) -> set[tuple[str, int]]:
    """Return (id, sample) of the rows in the file. Raises DataError if a prompt has changed."""
    current = {example.id: example.row for example in examples}
    done = set()
    for row in file.rows():
        id, sample = _identity(row)
        if changed := _changed(row.values, current.get(id, row.values)):
            problem = f"the prompt of '{id}' has changed: {', '.join(changed)}"
            raise DataError(problem, OTHERWISE, where=row.origin, got=id)
        if (id, sample) in done:
            problem = f"sample {sample} of '{id}' is there twice"
            raise DataError(problem, OTHERWISE, where=row.origin, got=id)
        done.add((id, sample))
    return done


def _changed(earlier: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Return the columns of a prompt's own row that differ, as they are written."""
    names = sorted({*earlier, *current}.difference(OF_AN_ANSWER))
    pairs = ((name, earlier.get(name), current.get(name)) for name in names)
    return [name for name, a, b in pairs if a != b and dump({"": a}) != dump({"": b})]


def _identity(row: Row) -> tuple[str, int]:
    """Return (id, sample) of a row that is there already. Raises DataError if it is not one."""
    id, sample, response = (row.values.get(name) for name in ("key", "sample", "response"))
    if not (isinstance(id, str) and isinstance(response, str)) or type(sample) is not int:
        problem = "not a row of teacher-gen: 'key', 'sample' and 'response' are needed"
        raise DataError(problem, OTHERWISE, where=row.origin, got=list(row.values))
    return id, sample


def unanswered_examples(
    examples: Sequence[Example], samples: int, done: set[tuple[str, int]]
) -> list[tuple[Example, list[int]]]:
    """Return the examples that lack responses, each with the numbers of those samples."""
    missing = [(e, [i for i in range(samples) if (e.id, i) not in done]) for e in examples]
    return [(example, numbers) for example, numbers in missing if numbers]


def _results(
    load: Callable[[], Teacher],
    questions: Sequence[Question],
    sampling: Sampling,
    progress: Progress,
) -> Results:
    if questions:
        yield from load().answer(questions, sampling, progress)


def _question(example: Example, samples: Sequence[int], seed: int) -> Question:
    seeds = tuple(derive(seed, "teach", example.id, sample) for sample in samples)
    return Question(example.prompt, seeds, example.origin, example.tools)


@dataclass
class _Counts:
    """Counts of the results so far."""

    max_failures: int
    rows: int = 0
    tokens: int = 0
    truncated: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first: tuple[str, str] = ("", "")
    started: float = field(default_factory=time.monotonic)

    def add(self, result: Answer | Failure, origin: str) -> None:
        """Count a result. Raises TeacherError for the first failure beyond `max_failures`."""
        if isinstance(result, Answer):
            self.rows += 1
            self.tokens += result.response_tokens or 0
            self.truncated += result.finish_reason == "length"
            return
        self.failures[result.kind] += 1
        if self.failed == 1:
            self.first = origin, result.reason
        if self.failed > self.max_failures:
            raise TeacherError(
                result.reason,
                "All answers so far are kept: repeat the command to go on, or let some prompts "
                "fail with teach.max_failures",
                where=origin,
            )
        log.warning("%s: %s; left for the next run", origin, result.reason)

    @property
    def failed(self) -> int:
        """Return how many answers did not come."""
        return self.failures.total()

    def nothing(self) -> TeacherError:
        """Return the error that every request failed."""
        kinds = ", ".join(f"{kind} x{n}" for kind, n in self.failures.most_common())
        origin, reason = self.first
        problem = f"no response at all ({kinds}); the first failure: {reason}"
        return TeacherError(problem, "Nothing was written", where=origin, got=dict(self.failures))

    def note(self) -> str:
        """Return the pace, for the progress bar."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        note = f"{self.rows / seconds:.1f} rows/s  {self.tokens / seconds:.0f} tokens/s"
        note += f"  {self.truncated} truncated" if self.truncated else ""
        return note + (f"  {self.failed} failed" if self.failed else "")


def unique_ids(examples: Sequence[Example]) -> None:
    """Raise DataError for two rows of one id, by which a restart knows what is done."""
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
        "key": example.id,
        **{name: value for name, value in example.row.items() if name not in OF_AN_ANSWER},
        "sample": sample,
        "response": answer.text,
        "model": model,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "response_tokens": answer.response_tokens,
    }


def _finish(file: AppendOnlyRows, examples: Sequence[Example], resumed: int) -> dict[str, Any]:
    """Put the file in the order of the prompts, rows of other prompts last; return the counts."""
    order = {example.id: number for number, example in enumerate(examples)}
    rows = [row.values for row in file.rows()]
    of_others = sum(row["key"] not in order for row in rows)
    rows.sort(key=lambda row: (order.get(row["key"], len(order)), row["sample"]))
    if rows:
        write_rows(file.path, rows)
    return {
        "rows": len(rows),
        "kept from before": resumed,
        "truncated": sum(row.get("finish_reason") == "length" for row in rows),
        **_tokens(rows),
        "of other prompts": of_others,
        "out": str(file.path),
    }


def _tokens(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the sums of the tokens, and of how many rows their numbers are not known."""
    names = {"prompt tokens": "prompt_tokens", "response tokens": "response_tokens"}
    counts = {name: [row.get(column) for row in rows] for name, column in names.items()}
    unknown = sum(None in pair for pair in zip(*counts.values(), strict=True))
    sums = {name: sum(n for n in column if type(n) is int) for name, column in counts.items()}
    return {**sums, "rows without token counts": unknown}
