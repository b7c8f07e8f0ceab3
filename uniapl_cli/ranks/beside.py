"""What ranks tell each other beside their training, in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist

from uniapl_cli.errors import UniAPLError
from uniapl_cli.ranks.failures import RankFailed, RanksLost, failure_of, of_rank
from uniapl_cli.ranks.ranks import Ranks

T = TypeVar("T")


class Beside:
    """A gloo group of its own: what is gathered in it meets no call of another thread.

    All ranks make one at the same time, and gather in the same order.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.rank, self.world, self.first = ranks.rank, ranks.world, ranks.first
        self.group = dist.new_group(backend="gloo", timeout=timedelta(seconds=ranks.timeout))
        self._heard: UniAPLError | None = None

    def gather(self, part: T) -> list[T]:
        """Return every rank's part, in their order, on all of them.

        Raises what another one's `told` has met, and RanksLost where one is gone or late.
        """
        met = self._exchange(part)
        for rank, (_, error) in enumerate(met):
            if error is not None:
                self._heard = error if isinstance(error, RankFailed) else of_rank(rank, error)
                raise self._heard
        return [part for part, _ in met]

    @contextmanager
    def told(self) -> Iterator[None]:
        """Have the other ranks raise, where they gather next, what the block raises on this one."""
        try:
            yield
        except RanksLost:
            raise
        except Exception as error:
            if isinstance(error, UniAPLError):
                if error is not self._heard:
                    self._exchange(None, error)
            else:
                self._exchange(None, RankFailed(failure_of(error, self.rank).message))
            raise

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Raise RanksLost where another rank is gone or late for what the block does together."""
        try:
            yield
        except RuntimeError as error:
            raise RanksLost(
                "another rank has ended, or did not come, while a checkpoint was written",
                "Repeat the command: it goes on from the newest checkpoint",
            ) from error

    def _exchange(
        self, part: T, error: UniAPLError | None = None
    ) -> list[tuple[T, UniAPLError | None]]:
        met: list[tuple[T, UniAPLError | None]] = [(part, None)] * self.world
        with self.reached():
            dist.all_gather_object(met, (part, error), group=self.group)
        return met
