"""How one rank's end is told to the others, and in what words."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uniapl_cli.errors import RunError, UniAPLError, first_line, without_secrets
from uniapl_cli.runs.signals import Stopped

# What gloo, NCCL and torch's store say of a connection.
BROKEN = ("gloo", "onnection", "NCCL", "Timed out", "timed out", "Broken pipe", "Socket")


@dataclass(frozen=True)
class Failure:
    """Why a rank ends all of them. stopped: by a signal, which is nobody's fault."""

    rank: int
    message: str
    stopped: bool = False


class RankFailed(RunError):
    """Another rank has failed; the message is its own."""


class RanksLost(RunError):
    """Other ranks, `got`, have ended without a word, or do not come."""


def named(ranks: Sequence[int]) -> str:
    """Return ranks in words: rank 1; ranks 1, 3 and 4."""
    numbers = [str(rank) for rank in ranks]
    if len(numbers) == 1:
        return f"rank {numbers[0]}"
    return f"ranks {', '.join(numbers[:-1])} and {numbers[-1]}" if numbers else "no rank"


def of_rank(rank: int, error: UniAPLError) -> UniAPLError:
    """Return an error that another rank has sent, with its number."""
    return type(error)(f"rank {rank}: {error.problem}", error.advice, got=error.got)


def as_error(failure: Failure) -> BaseException:
    """Return what another rank's failure raises here."""
    return Stopped(signal.SIGINT) if failure.stopped else RankFailed(failure.message)


def failure_of(
    error: BaseException, rank: int, said: str | None = None, log: Path | None = None
) -> Failure:
    """Return what the others are told of this rank's end.

    said: what it says of it itself; None of a bug, of which `log` keeps the traceback.
    """
    if isinstance(error, (RanksLost, RankFailed)):
        return Failure(rank, str(error))
    if said is not None:
        return Failure(rank, f"rank {rank}: {said}")
    text = f"rank {rank}: {type(error).__name__}: {without_secrets(first_line(error))}"
    text += f" ({log} has more)" if log else ""
    return Failure(rank, text, stopped=isinstance(error, KeyboardInterrupt))


def is_same(failure: Failure, said: str | None) -> bool:
    """Whether another rank has failed for the reason that this one says."""
    return said is not None and failure.message == f"rank {failure.rank}: {said}"


def is_broken(error: BaseException) -> bool:
    """Whether an error is that of a connection to another rank."""
    text = str(error)
    return isinstance(error, RuntimeError) and any(name in text for name in BROKEN)
