"""Rows of requests to a server, and why one of them failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uniapl_cli.errors import ServerError
from uniapl_cli.http import RequestFailed


@dataclass(frozen=True, slots=True)
class PolarInput:
    """A comparison's token ids; `name` is its id, for messages."""

    name: str
    ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one request, by their indices. `number` decides which address is tried first."""

    indices: Sequence[int]
    number: int

    def halves(self) -> tuple[Chunk, Chunk]:
        """Return the first and the second half of the rows."""
        middle = len(self.indices) // 2
        first, second = self.indices[:middle], self.indices[middle:]
        return Chunk(first, self.number), Chunk(second, self.number)


class BadScore(RequestFailed):
    """An answer whose score of one row, the request's `index`-th, is missing or no number."""

    def __init__(self, reason: str, index: int) -> None:
        super().__init__("unusable answer", f"unusable answer: {reason}")
        self.index = index


def no_score(
    failure: RequestFailed, attempts: int, address: str, rows: Sequence[PolarInput]
) -> ServerError:
    """Return the error that a request of `rows` has failed for good; it names the row at fault."""
    index = failure.index if isinstance(failure, BadScore) else 0
    others = f" (in a request of {len(rows)} rows)" if len(rows) > 1 else ""
    times = f" ({attempts} times)" if attempts > 1 else ""
    problem = f"no score from {address}{others}: {failure.message}{times}"
    return ServerError(problem, where=rows[index].name, got=failure.message)
