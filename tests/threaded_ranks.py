"""Ranks that are threads of this process: they meet where they gather, and compute in turns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import torch

from uniapl_cli.ranks import Ranks

PATIENCE = 20


class ThreadedRanks(Ranks):
    """One of several; `board` is what all write on. A rank that does not come breaks the barrier.

    asked: what each of its gatherings was for.
    """

    def __init__(self, rank: int, world: int, meeting: Barrier, board: list[Any], sharded: bool):
        self.rank = self.local_rank = rank
        self.world = self.local_world = world
        self.sharded, self.meeting, self.board = sharded, meeting, board
        self.asked: list[str] = []

    def gather(self, part: Any, doing: str) -> list[Any]:
        self.asked.append(doing)
        self.board[self.rank] = doing, part
        self.meeting.wait()
        parts = list(self.board)
        self.meeting.wait()
        assert {place for place, _ in parts} == {doing}
        return [part for _, part in parts]

    def of_first(self, make: Callable[[], Any], doing: str) -> Any:
        return self.gather(make() if self.first else None, doing)[0]

    def sum(self, tensors: Any, doing: str) -> None:
        parts = self.gather([tensor.clone() for tensor in tensors], doing)
        for tensor, *each in zip(tensors, *parts, strict=True):
            tensor.copy_(torch.stack(each).sum(0))


def on_ranks(world: int, job: Callable[[Ranks], Any], *, sharded: bool = False) -> list[Any]:
    """Return what job(ranks) returns on each of so many ranks; an error of one is raised."""
    meeting, board = Barrier(world, timeout=PATIENCE), [None] * world
    ranks = [ThreadedRanks(rank, world, meeting, board, sharded) for rank in range(world)]

    def run(one: Ranks) -> Any:
        try:
            return job(one)
        except BaseException:
            meeting.abort()
            raise

    with ThreadPoolExecutor(world) as threads:
        results = [threads.submit(run, one) for one in ranks]
        errors = [error for result in results if (error := result.exception()) is not None]
        own = [error for error in errors if type(error).__name__ != "BrokenBarrierError"]
        for error in [*own, *errors]:
            raise error
        return [result.result() for result in results]
