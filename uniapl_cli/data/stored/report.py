"""What reading and encoding a data set reported, to be said again when it is taken from disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from uniapl_cli.data.examples import BadRows
from uniapl_cli.data.rows import BadRow
from uniapl_cli.data.stored.arrow import Unstorable, as_json
from uniapl_cli.errors import DataError, UniAPLError

log = logging.getLogger("uniapl")


@dataclass
class Report:
    """Messages, as (level, text), and bad rows, in their order. first: those of BadRows before."""

    said: list[tuple[int, str]] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    first: int = 0

    def say(self) -> None:
        """Log the messages."""
        for level, text in self.said:
            log.log(level, "%s", text)

    def repeat(self, bad: BadRows) -> None:
        """Report the bad rows, and log the messages. Raises DataError, as BadRows does."""
        for row in self.bad:
            bad.add(row)
        self.say()

    def plain(self, bad: BadRows) -> dict[str, Any]:
        """Return the report for a file, with the bad rows since it began. Raises Unstorable."""
        return {"said": self.said, "bad": [_plain(row) for row in bad.rows[self.first :]]}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Report:
        """Return the report that a file holds."""
        said = [(int(level), str(text)) for level, text in plain["said"]]
        return cls(said, [_bad_row(row) for row in plain["bad"]])


def _plain(row: BadRow) -> dict[str, Any]:
    error = row.error
    try:
        got = json.loads(as_json(error.got))
    except Unstorable:
        got = None  # it stands in the problem
    as_json(row.content)
    return {
        "content": row.content,
        "problem": error.problem,
        "advice": error.advice,
        "where": error.where,
        "key": error.key,
        "got": got,
        "allowed": list(error.allowed),
        "suggestion": error.suggestion,
    }


def _bad_row(plain: Mapping[str, Any]) -> BadRow:
    own = dict(plain)
    content, problem, advice = own.pop("content"), own.pop("problem"), own.pop("advice")
    return BadRow(content, DataError(problem, advice, **own))


@contextmanager
def recording(bad: BadRows) -> Iterator[Report]:
    """Keep the block's messages back, and note them and its bad rows in a report.

    They are for the caller to say; where the block ends with an error of the user's, they are said.
    """
    report = Report(first=len(bad.rows))

    def note(record: logging.LogRecord) -> bool:
        report.said.append((record.levelno, record.getMessage()))
        return False

    log.addFilter(note)
    try:
        yield report
    except UniAPLError:
        log.removeFilter(note)
        report.say()
        raise
    finally:
        log.removeFilter(note)
