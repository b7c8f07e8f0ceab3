"""Pairs for DPO: of the responses to one prompt, one that passes with one that fails."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from uniapl_cli.files import dump
from uniapl_cli.pipelines.repeats import digest
from uniapl_cli.types import Example


@dataclass(frozen=True, slots=True)
class Half:
    """A judged response that may become one side of a pair.

    asked: the columns of the prompt and its constraints. task: 64 bits that tell them apart.
    """

    good: bool
    answer: str
    key: str
    asked: Mapping[str, Any]
    task: int


def half(example: Example, followed: Sequence[bool], errors: Sequence[str | None]) -> Half | None:
    """Return what a pair needs of a judged response; both sequences have an entry a constraint.

    None where it is not known to be good or bad: without constraints, or where all that it does not
    follow could not be judged.
    """
    good = all(followed)
    broken = any(not ok and why is None for ok, why in zip(followed, errors, strict=True))
    if not example.constraints or not (good or broken):
        return None
    asked: dict[str, Any] = {
        "prompt": [{"role": turn.role, "content": turn.content} for turn in example.prompt],
        "instruction_id_list": [constraint.id for constraint in example.constraints],
        "kwargs": [dict(constraint.kwargs) for constraint in example.constraints],
    }
    if example.reference is not None:
        asked["reference"] = example.reference
    return Half(good, str(example.response), example.id, asked, digest(dump(asked)))


class Pairs:
    """Writes the n-th response to a prompt that passes beside the n-th that fails.

    A pair is written as soon as both are there, wherever they stand. Kept in memory are the
    responses that wait for another: in the end, what is left over of each prompt.
    """

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.waiting: dict[int, list[tuple[bool, str, str]]] = defaultdict(list)
        self.made: Counter[int] = Counter()

    def add(self, half: Half) -> None:
        """Take a judged response."""
        waiting, mine = self.waiting[half.task], (half.good, half.key, half.answer)
        if not waiting or waiting[0][0] == half.good:
            waiting.append(mine)
            return
        other = waiting.pop(0)
        (_, key, chosen), (_, _, rejected) = (mine, other) if half.good else (other, mine)
        row = {
            "key": f"{key}-{self.made[half.task]}",
            **half.asked,
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        self.file.write(dump(row))
        self.made[half.task] += 1

    def summary(self) -> dict[str, int]:
        """Return how many pairs there are, and of how many prompts there is none."""
        return {
            "pairs": self.made.total(),
            "prompts without a pair": len(self.waiting) - len(self.made),
        }
