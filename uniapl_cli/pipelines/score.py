"""Scores for rows of prompt, reference and output: appended as they come, in the rows' order."""

from __future__ import annotations

import json
import logging
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Protocol

from uniapl_cli.data import BadRow, BadRows
from uniapl_cli.discriminators import Discriminator, centred, coefficient
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, append_rows, drop_torn_line, dump, parse_row, read_rows, replacing
from uniapl_cli.options import MISSING, Options, conforms, key
from uniapl_cli.runs.console import Bar
from uniapl_cli.types import Comparison
from uniapl_cli.verifiers import strip_thinking

log = logging.getLogger("uniapl")

OTHERWISE = "Delete it, or set another score.out"


class Columns(Options):
    """Where a row holds what is compared, and what the new columns are called.

    A column is a text, or a list of {role, content} whose contents are put one under the other.
    """

    prompt: str = key("prompt", "column of the prompt: a text, or messages")
    reference: str = key("reference", "column of the reference: a text, or messages")
    output: str = key("output", "column of what is scored: a text, or messages")
    prefix: str = key("", "put before the names of the new columns", min_length=0)
    strip_thinking: bool = key(
        True, "leave out thoughts; false keeps them, but the output's never reach the POLAR kinds"
    )

    def comparison(self, row: Row) -> Comparison:
        """Return what a row compares. Raises DataError."""
        for name in ("score", "coef", "own"):
            if self.prefix + name in row.values:
                raise DataError(
                    f"there is a column '{self.prefix}{name}' already",
                    "Set score.prefix, put before the names of the new ones",
                    where=row.origin,
                    got=self.prefix + name,
                )
        clean = strip_thinking if self.strip_thinking else str
        return Comparison(
            self._text(row, "prompt", str),
            self._text(row, "reference", clean),
            self._text(row, "output", clean),
            row.origin,
        )

    def fault(self, row: Row) -> BadRow | None:
        """Return what is wrong with a row that cannot be compared."""
        try:
            self.comparison(row)
        except DataError as error:
            return BadRow(row.values, error)
        return None

    def _text(self, row: Row, which: str, clean: Callable[[str], str]) -> str:
        name = getattr(self, which)
        found = row.values.get(name)
        if isinstance(found, str):
            return clean(found)
        if found is None:
            raise DataError(
                f"'{name}' is needed; the row has: {', '.join(row.values)}",
                f"Name the column of the {which} with score.{which}",
                where=row.origin,
                got=list(row.values),
            )
        if not found or not conforms(found, list[dict[str, Any]]):
            problem = f"'{name}' must be text, or a list of {{role, content}}"
            raise DataError(problem, where=row.origin, got=found)
        contents = [turn.get("content") for turn in found]
        if not all(isinstance(content, str) for content in contents):
            problem = f"'{name}' has a turn whose 'content' is no text"
            raise DataError(problem, where=row.origin, got=contents)
        return "\n".join(clean(str(content)) for content in contents)


class ScoreOptions(Columns):
    """uniapl score: how close outputs are to their references, a row each."""

    input: str = key(MISSING, "JSONL with prompts, references and outputs; - is stdin")
    out: str = key(MISSING, "JSONL to write, rows with `score` and `coef`; - is stdout")
    centre: bool = key(False, "subtract the reference's own score, kept as `own`")
    chunk: int = key(256, "rows scored, and then written, at a time", ge=1)


class Sink(Protocol):
    """Where scored rows go."""

    def before(self) -> Iterable[Row]:
        """Return the rows that are there from an earlier run, in their order."""
        ...

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows."""
        ...


class ToStdout:
    """Rows as lines on stdout; nothing is there from before."""

    def before(self) -> Iterable[Row]:
        """Return nothing."""
        return ()

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print rows, so that the next program in a pipe has them now."""
        sys.stdout.buffer.write("".join(map(dump, rows)).encode())
        sys.stdout.buffer.flush()


@dataclass(frozen=True)
class ToFile:
    """Rows appended to a file, and beside it the record of how they were scored."""

    out: Path
    facts: Mapping[str, Any]

    @property
    def record(self) -> Path:
        """The record's file."""
        return self.out.with_name(f"{self.out.name}.meta.json")

    def before(self) -> Iterable[Row]:
        """Return the file's rows; refuse those scored in another way. Raises DataError."""
        if not self.out.exists():
            return ()
        if not self.record.exists():
            problem = f"'{self.out}' was not written by uniapl score"
            raise DataError(problem, OTHERWISE, got=str(self.out))
        if json.loads(self.record.read_text(encoding="utf-8")) != self.facts:
            raise DataError(
                f"'{self.out}' holds rows scored in another way ({self.record.name} says how)",
                OTHERWISE,
                got=str(self.out),
            )
        if drop_torn_line(self.out):
            log.warning("%s: an unfinished last line was cut off", self.out)
        return read_rows(self.out)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows; they are on the disk when this returns."""
        if not self.out.exists():
            with replacing(self.record) as file:
                file.write(json.dumps(self.facts, indent=1) + "\n")
        append_rows(self.out, rows)


def score(
    rows: Iterable[Row],
    load: Callable[[], Discriminator],
    sink: Sink,
    columns: Columns,
    progress: Bar,
    *,
    centre: bool = False,
    chunk: int = 256,
) -> dict[str, Any]:
    """Add score and coefficient to each row, and return their means and deviations.

    With `centre` the score is r minus the reference's own, which is kept as `own`. Rows that the
    sink has from before are compared with the given ones and kept. The discriminator is loaded when
    the first row needs it.
    """
    left, loaded = iter(rows), cache(load)
    scores, coefs = array("d"), array("d")
    kept = 0
    for kept, old in enumerate(sink.before(), 1):  # noqa: B007
        _same(old, next(left, None))
        scores.append(old.values[f"{columns.prefix}score"])
        coefs.append(old.values[f"{columns.prefix}coef"])
    progress.start(kept)
    while part := list(islice(left, chunk)):
        compared = [columns.comparison(row) for row in part]
        made = _scored(loaded(), compared, centre)
        sink.write(
            [
                {**row.values, **{columns.prefix + name: value for name, value in new.items()}}
                for row, new in zip(part, made, strict=True)
            ]
        )
        scores.extend(new["score"] for new in made)
        coefs.extend(new["coef"] for new in made)
        progress.advance(len(part))
    if not scores:
        raise DataError("there are no rows to score")
    return {
        "rows": len(scores),
        "kept from before": kept,
        "score": fmean(scores),
        "score std": pstdev(scores),
        "coef": fmean(coefs),
        "coef std": pstdev(coefs),
    }


def _scored(
    discriminator: Discriminator, compared: Sequence[Comparison], centre: bool
) -> list[dict[str, float]]:
    if not centre:
        return [{"score": r, "coef": coefficient(r)} for r in discriminator.score(compared)]
    return [
        {"score": r, "coef": coefficient(r), "own": own}
        for r, own in zip(*centred(discriminator.score, discriminator.score, compared), strict=True)
    ]


def _same(old: Row, row: Row | None) -> None:
    """Refuse a row from before that is not the given row, scored. Raises DataError."""
    if row is None:
        problem = "it has more rows than there are to score"
        raise DataError(problem, OTHERWISE, where=old.origin)
    # As text, in which NaN is NaN.
    if dump({name: old.values.get(name) for name in row.values}) != dump(row.values):
        problem = f"not the row at {row.origin}"
        raise DataError(problem, OTHERWISE, where=old.origin, got=row.origin)


def stdin_rows() -> Iterator[Row | BadRow]:
    """Yield the JSONL rows of stdin as they come; blank lines are passed over."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        if line.strip():
            try:
                yield parse_row(line.rstrip(), f"stdin:{number}")
            except DataError as error:
                yield BadRow(line.rstrip().decode(errors="replace"), error)


def good_rows(rows: Iterable[Row | BadRow], columns: Columns, bad: BadRows) -> Iterator[Row]:
    """Yield the rows that can be scored; `bad` takes the others."""
    for row in rows:
        fault = row if isinstance(row, BadRow) else columns.fault(row)
        if fault is not None:
            bad.add(fault)
        elif isinstance(row, Row):
            yield row
