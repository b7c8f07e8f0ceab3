"""What a teacher is: a model that answers questions, in this process or behind a server."""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from uniapl_cli.types import FinishReason, Message, Sampling


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to answer once for each seed. `name` is for messages."""

    messages: tuple[Message, ...]
    seeds: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and the lengths of prompt and response in tokens; the stop token counts."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    response_tokens: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer, in one line."""

    reason: str


# Index of the question, index of the seed, and what came of it.
Result = tuple[int, int, Answer | Failure]
Results = abc.Generator[Result, None, None]


class Teacher(Protocol):
    """Answers questions."""

    def answer(self, questions: Sequence[Question], sampling: Sampling) -> Results:
        """Yield one Result a question and seed, in the order they get done."""
        ...
