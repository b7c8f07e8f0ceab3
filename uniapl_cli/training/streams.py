"""Endless shuffled passes over a data set, with a position that checkpoints save."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Generic, TypeVar

from uniapl_cli.errors import RunError
from uniapl_cli.seeding import derive

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """Yields `size` items at a time; each pass over the items is shuffled anew."""

    def __init__(self, name: str, items: Sequence[Item], size: int, seed: int) -> None:
        self.name, self.items, self.size, self.seed = name, items, size, seed
        self.drawn = 0

    def next(self, count: int | None = None) -> list[Item]:
        """Return the next `size` (or `count`) items; they may span two passes."""
        count = self.size if count is None else count
        positions = range(self.drawn, self.drawn + count)
        self.drawn += count
        passes = (divmod(position, len(self.items)) for position in positions)
        return [self.items[self._order(epoch)[index]] for epoch, index in passes]

    def _order(self, epoch: int) -> list[int]:
        if getattr(self, "_epoch", None) != epoch:
            self._epoch = epoch
            self._shuffled = list(range(len(self.items)))
            random.Random(derive(self.seed, self.name, epoch)).shuffle(self._shuffled)
        return self._shuffled

    def state_dict(self) -> dict[str, int]:
        """Return the number of items drawn so far, and the size of the data set."""
        return {"drawn": self.drawn, "items": len(self.items)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to a saved position. Raises RunError if the data set has another size now."""
        if state["items"] != len(self.items):
            raise RunError(
                f"'{self.name}' had {state['items']} rows when the checkpoint was written and has "
                f"{len(self.items)} now",
                "Resume with the same data, or set another run.dir",
                got=len(self.items),
                allowed=[str(state["items"])],
            )
        self.drawn = state["drawn"]
