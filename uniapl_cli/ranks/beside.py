"""What ranks tell each other beside their training, in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch.distributed as dist

from uniapl_cli.errors import RunError
from uniapl_cli.ranks.ranks import Ranks

T = TypeVar("T")


class Beside:
    """A gloo group of its own: what is gathered in it meets no call of another thread.

    All ranks make one at the same time, and gather in the same order.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.first, self.world = ranks.first, ranks.world
        self.group = dist.new_group(backend="gloo")
        self._heard: BaseException | None = None

    def gather(self, part: T) -> list[T]:
        """Return every rank's part, in their order, on all of them.

        Raises what another one's `told` has met, and RunError where one is gone or late.
        """
        parts, errors = self._exchange(part, None)
        self._heard = next((error for error in errors if error is not None), None)
        if self._heard is not None:
            raise self._heard
        return parts

    @contextmanager
    def told(self) -> Iterator[None]:
        """Have the other ranks raise, where they gather next, what the block raises on this one."""
        try:
            yield
        except Lost:
            raise
        except Exception as error:
            if error is not self._heard:
                self._exchange(None, error)
            raise

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Raise RunError where another rank is gone or late for what the block does together."""
        try:
            yield
        except RuntimeError as error:
            raise Lost(
                "another process of this training is gone, or did not come, while a checkpoint "
                "was written",
                "The same command goes on from the one before",
            ) from error

    def _exchange(self, part: T, error: Exception | None) -> tuple[list[T], list[Exception | None]]:
        met: list[tuple[T, Exception | None]] = [(part, None)] * self.world
        with self.reached():
            dist.all_gather_object(met, (part, error), group=self.group)
        return [part for part, _ in met], [error for _, error in met]


class Lost(RunError):
    """Another rank cannot be told anything any more."""
