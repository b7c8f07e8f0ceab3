"""What a source remembers from step to step: rows, and which of them make a batch."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from uniapl_cli.seeding import derive

# Which of the rows that are held make the next batch.
Order = Literal["newest", "oldest", "random"]
Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A prompt and one answer to it, or two: the ids of their tokens.

    logps: what the only answer's tokens had under the policy that wrote it. advantages: by reward,
    as they were then.
    """

    prompt: Ids
    answers: tuple[Ids, ...]
    logps: tuple[float, ...] = ()
    advantages: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        own = {"prompt": self.prompt, "answers": self.answers}
        return {**own, "logps": self.logps, "advantages": self.advantages}

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> HeldRow:
        """Return the row that JSON holds."""
        answers = tuple(tuple(ids) for ids in row["answers"])
        return cls(tuple(row["prompt"]), answers, tuple(row["logps"]), dict(row["advantages"]))


@dataclass
class Memory:
    """Rows that wait until there are `size` of them, of which then a batch is made.

    size None: what is found makes a batch at once. order: which rows are taken; among the newest,
    those found in one step keep their order. keeps: rows that were in a batch stay, for others.
    capacity: as many are held at most; the oldest go.
    """

    size: int | None
    order: Order
    keeps: bool
    capacity: int
    seed: int
    rows: tuple[HeldRow, ...] = ()

    def add(self, found: Sequence[HeldRow]) -> None:
        """Hold more rows."""
        if self.order == "newest":
            self.rows = (*found, *self.rows)[: self.capacity]
        else:
            self.rows = (*self.rows, *found)[-self.capacity :]

    def take(self, step: int) -> list[HeldRow]:
        """Return the rows of a step's batch; [] where too few are held."""
        size = len(self.rows) if self.size is None else self.size
        if len(self.rows) < size:
            return []
        places = list(range(size))
        if self.order == "random":
            chosen = random.Random(derive(self.seed, step)).sample(range(len(self.rows)), size)
            places = sorted(chosen)
        taken = [self.rows[place] for place in places]
        if not self.keeps:
            gone = set(places)
            self.rows = tuple(row for n, row in enumerate(self.rows) if n not in gone)
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, as JSON."""
        return {"rows": [row.as_json() for row in self.rows]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Hold the rows that were held."""
        self.rows = tuple(HeldRow.of_json(row) for row in state["rows"])
