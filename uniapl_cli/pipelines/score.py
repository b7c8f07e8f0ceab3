"""Scores rows of prompt, reference and output, a chunk at a time, in the rows' order."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from math import isfinite
from statistics import fmean, pstdev
from typing import Any, BinaryIO, Protocol

from uniapl_cli.chat.thinking import strip_thinking
from uniapl_cli.data import BadRow, BadRows
from uniapl_cli.discriminators import Discriminator, anchor_scores
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, dump, parse_row
from uniapl_cli.options import MISSING, Count, FilePath, Options, conforms, key
from uniapl_cli.runs.console import Bar
from uniapl_cli.types import Comparison

OTHERWISE = "Delete the file, or set another score.out"


class Columns(Options):
    """The columns that are compared, and the prefix of the new ones.

    A column is a text, or a list of {role, content} whose contents are joined by newlines.
    """

    prompt: str = key("prompt", "column of the prompt: a text, or messages")
    reference: str = key("reference", "column of the reference: a text, or messages")
    output: str = key("output", "column of what is scored: a text, or messages")
    prefix: str = key("", "put before the names of the new columns", min_length=0)
    strip_thinking: bool = key(
        True, "leave out thoughts; false keeps them, but the output's never reach the POLAR kinds"
    )

    def comparison(self, row: Row) -> Comparison:
        """Return a row's comparison. Raises DataError."""
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

    def beside(self, row: Row, new: Mapping[str, float]) -> dict[str, Any]:
        """Return a row with new columns."""
        return {**row.values, **{self.prefix + name: value for name, value in new.items()}}

    def bad_row(self, row: Row) -> BadRow | None:
        """Return the row as a bad one, with the error, if it cannot be compared; else None."""
        try:
            self.comparison(row)
        except DataError as error:
            return BadRow(row.values, error)
        return None

    def _text(self, row: Row, which: str, clean: Callable[[str], str]) -> str:
        name = getattr(self, which)
        content = row.values.get(name)
        if isinstance(content, str):
            return clean(content)
        if content is None:
            raise DataError(
                f"'{name}' is needed; the row has: {', '.join(row.values)}",
                f"Name the column of the {which} with score.{which}",
                where=row.origin,
                got=list(row.values),
            )
        if not content or not conforms(content, list[dict[str, Any]]):
            problem = f"'{name}' must be text, or a list of {{role, content}}"
            raise DataError(problem, where=row.origin, got=content)
        texts = [turn.get("content") for turn in content]
        if not all(isinstance(text, str) for text in texts):
            problem = f"'{name}' has a turn whose 'content' is no text"
            raise DataError(problem, where=row.origin, got=texts)
        return "\n".join(clean(str(text)) for text in texts)


class ScoreOptions(Columns):
    """uniapl score: how close outputs are to their references, a row each."""

    input: FilePath = key(MISSING, "JSONL with prompts, references and outputs; - is stdin")
    out: FilePath = key(MISSING, "JSONL to write, rows with `score` and `coef`; - is stdout")
    centre: bool = key(False, "subtract the reference's own score, kept as `own`")
    chunk: Count = key(256, "rows scored, and then written, at a time")


class Sink(Protocol):
    """Where scored rows go: a stream, or a file (`appending.AppendOnlyRows`)."""

    def rows(self) -> Iterable[Row]:
        """Return the rows that an earlier run left, in their order."""
        ...

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows."""
        ...


class Stream:
    """Rows as lines of a pipe or a device; there are none from an earlier run."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def rows(self) -> Iterable[Row]:
        """Return nothing."""
        return ()

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print rows, so that the next program in a pipe has them now."""
        self.file.write("".join(map(dump, rows)).encode())
        self.file.flush()


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
    sink has from an earlier run must be those of `rows`, scored, and are kept. The discriminator is
    loaded when the first row needs it.
    """
    remaining, discriminator = iter(rows), cache(load)
    scores, coefs = array("d"), array("d")
    begun: list[Row] = []  # the rows of a chunk that was written in part
    for earlier in sink.rows():
        if len(begun) == chunk:
            begun.clear()
        begun.append(_refuse_other(earlier, next(remaining, None)))
        scores.append(_figure(earlier, f"{columns.prefix}score"))
        coefs.append(_figure(earlier, f"{columns.prefix}coef"))
    kept = len(scores)
    progress.start(kept)
    if len(begun) == chunk:
        begun.clear()
    while part := list(islice(remaining, chunk - len(begun))):
        # Scored with what is written of their chunk: in another batch the last bits are others.
        comparisons = [columns.comparison(row) for row in (*begun, *part)]
        new_columns = _scored(discriminator(), comparisons, centre)[len(begun) :]
        begun.clear()
        sink.append([columns.beside(*pair) for pair in zip(part, new_columns, strict=True)])
        scores.extend(new["score"] for new in new_columns)
        coefs.extend(new["coef"] for new in new_columns)
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
    discriminator: Discriminator, comparisons: Sequence[Comparison], centre: bool
) -> list[dict[str, float]]:
    """Return the new columns of each row."""
    baseline = discriminator.score if centre else None
    anchored = anchor_scores(discriminator.score, comparisons, baseline=baseline)
    columns = {"score": anchored.scores, "coef": anchored.coefficients}
    if anchored.baselines is not None:
        columns["own"] = anchored.baselines
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _figure(earlier: Row, name: str) -> float:
    """Return a column of an earlier run's row. Raises DataError if it holds no number."""
    value: Any = earlier.values.get(name)
    if not conforms(value, float) or not isfinite(value):
        raise DataError(f"'{name}' is no number", OTHERWISE, where=earlier.origin, got=value)
    return float(value)


def _refuse_other(earlier: Row, row: Row | None) -> Row:
    """Return the row that an earlier run's is, scored. Raises DataError if it is another one."""
    if row is None:
        problem = "it has more rows than there are to score"
        raise DataError(problem, OTHERWISE, where=earlier.origin)
    # Compared as JSON, since NaN != NaN.
    if dump({name: earlier.values.get(name) for name in row.values}) != dump(row.values):
        problem = f"not the row at {row.origin}"
        raise DataError(problem, OTHERWISE, where=earlier.origin, got=row.origin)
    return row


def stdin_rows() -> Iterator[Row | BadRow]:
    """Yield the JSONL rows of stdin as they come; blank lines are passed over.

    Raises DataError if stdin is closed.
    """
    if sys.stdin is None:
        raise DataError("stdin is closed", "Name a file", key="score.input", got="-")
    for number, line in enumerate(sys.stdin.buffer, 1):
        if line.strip():
            try:
                yield parse_row(line.rstrip(), f"stdin:{number}")
            except DataError as error:
                yield BadRow(line.rstrip().decode(errors="replace"), error)


def good_rows(rows: Iterable[Row | BadRow], columns: Columns, bad: BadRows) -> Iterator[Row]:
    """Yield the rows that can be scored; `bad` takes the others."""
    for row in rows:
        bad_row = row if isinstance(row, BadRow) else columns.bad_row(row)
        if bad_row is not None:
            bad.add(bad_row)
        elif isinstance(row, Row):
            yield row
