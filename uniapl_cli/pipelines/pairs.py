"""Pairs for DPO: of the responses to one prompt, one that passes and one that fails."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from uniapl_cli.chat import turns
from uniapl_cli.files import dump
from uniapl_cli.pipelines.repeats import digest
from uniapl_cli.types import Example


@dataclass(frozen=True, slots=True)
class JudgedResponse:
    """A judged response that may become one side of a pair.

    task: the columns of the prompt and its constraints. task_digest: 64 bits that identify them.
    """

    good: bool
    text: str
    key: str
    task: Mapping[str, Any]
    task_digest: int


def judged_response(
    example: Example, followed: Sequence[bool], errors: Sequence[str | None]
) -> JudgedResponse | None:
    """Return what a pair needs of a judged response; both sequences have an entry a constraint.

    None if undecided: the row has no constraints, or every failed constraint is one whose verifier
    errored. None too if the response was cut off: as the better one it would teach to break off,
    and as the worse one nobody knows what it would have become. Or if its turn has other fields.
    """
    if not example.finished or example.response_fields:
        return None
    good = all(followed)
    broken = any(not ok and error is None for ok, error in zip(followed, errors, strict=True))
    if not example.constraints or not (good or broken):
        return None
    task: dict[str, Any] = {
        "prompt": turns(example.prompt, None),
        "instruction_id_list": [constraint.id for constraint in example.constraints],
        "kwargs": [dict(constraint.kwargs) for constraint in example.constraints],
    }
    if example.tools:
        task["tools"] = list(example.tools)
    if example.reference is not None:
        task["reference"] = example.reference
    return JudgedResponse(good, str(example.response), example.id, task, digest(dump(task)))


class Pairs:
    """Writes the n-th response to a prompt that passes beside the n-th that fails.

    A pair is written as soon as both have come, in whatever order. Only responses without a partner
    yet are held in memory.
    """

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.waiting: dict[int, list[tuple[bool, str, str]]] = defaultdict(list)
        self.written: Counter[int] = Counter()

    def add(self, response: JudgedResponse) -> None:
        """Take a judged response."""
        task = response.task_digest
        waiting, own = self.waiting[task], (response.good, response.key, response.text)
        if not waiting or waiting[0][0] == response.good:
            waiting.append(own)
            return
        other = waiting.pop(0)
        (_, key, chosen), (_, _, rejected) = (own, other) if response.good else (other, own)
        row = {
            "key": f"{key}-{self.written[task]}",
            **response.task,
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        self.file.write(dump(row))
        self.written[task] += 1

    def summary(self) -> dict[str, int]:
        """Return the number of pairs, and of prompts without one."""
        return {
            "pairs": self.written.total(),
            "prompts without a pair": len(self.waiting) - len(self.written),
        }
