"""Endless shuffled passes over a data set, whose position can be saved."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Generic, TypeVar

from uniapl_cli.errors import RunError
from uniapl_cli.seeding import derive

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """Draws `size` items at a time; each pass over the items is a shuffle of its own."""

    def __init__(self, name: str, items: Sequence[Item], size: int, seed: int) -> None:
        self.name, self.items, self.size, self.seed = name, items, size, seed
        self.drawn = 0

    def next(self, count: int | None = None) -> list[Item]:
        """Return the next `size` items, or `count`; they may reach over the end of a pass."""
        count = self.size if count is None else count
        places = range(self.drawn, self.drawn + count)
        self.drawn += count
        return [self.items[self._order(p // len(self.items))[p % len(self.items)]] for p in places]

    def _order(self, epoch: int) -> list[int]:
        if getattr(self, "_epoch", None) != epoch:
            self._epoch = epoch
            self._shuffled = list(range(len(self.items)))
            random.Random(derive(self.seed, self.name, epoch)).shuffle(self._shuffled)
        return self._shuffled

    def state_dict(self) -> dict[str, int]:
        """Return the position: items drawn so far, and of how many."""
        return {"drawn": self.drawn, "items": len(self.items)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to a saved position. Raises RunError if the data have changed in size."""
        if state["items"] != len(self.items):
            raise RunError(
                f"'{self.name}' had {state['items']} rows when the checkpoint was written and has "
                f"{len(self.items)} now",
                "Resume with the same data, or set another run.dir",
                got=len(self.items),
                allowed=[str(state["items"])],
            )
        self.drawn = state["drawn"]
