"""Questions that instructions are added to: the project's own, or those of a file."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from uniapl_cli.composing.topics import TASKS, TOPICS
from uniapl_cli.types import Example


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the last turn of a prompt. before: the turns before it, as data have them.

    more: columns of its row that go with it. source: its row's key; None for one of the project's.
    """

    text: str
    before: tuple[Mapping[str, Any], ...] = ()
    turn: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None

    def asked_with(self, text: str) -> str | list[dict[str, Any]]:
        """Return the prompt whose last turn says `text`: a text where there is no other turn."""
        if not self.before and not self.turn:
            return text
        last = {"role": "user", **self.turn, "content": text}
        return [*map(dict, self.before), last]


def own_question(rng: random.Random) -> Question:
    """Draw one of the project's own questions."""
    sort = rng.choice(list(TOPICS))
    return Question(rng.choice(TASKS[sort]).format(rng.choice(TOPICS[sort])))


OWN: tuple[str, ...] = tuple(
    task.format(topic) for sort in TOPICS for task in TASKS[sort] for topic in TOPICS[sort]
)


def of_example(example: Example) -> Question:
    """Return the question of a row that was read."""
    *before, last = example.prompt
    return Question(
        last.content,
        tuple({"role": turn.role, "content": turn.content, **turn.more} for turn in before),
        dict(last.more),
        {"tools": list(example.tools)} if example.tools else {},
        example.id,
    )
