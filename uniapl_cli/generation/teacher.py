"""What a teacher is: whoever answers questions, in this process or behind a server."""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from uniapl_cli.chat import Chat
from uniapl_cli.generation.generator import Generator, Request
from uniapl_cli.types import FinishReason, Message, Sampling


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to answer once for each seed. `name` is for messages."""

    messages: tuple[Message, ...]
    seeds: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and what it took in tokens; the stop token counts."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    response_tokens: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer, in one line."""

    reason: str


# Place of the question, place of the seed, and what became of it.
Result = tuple[int, int, Answer | Failure]
Results = abc.Generator[Result, None, None]


class Teacher(Protocol):
    """Answers questions."""

    def answer(self, questions: Sequence[Question], sampling: Sampling) -> Results:
        """Yield one Result a question and seed, in the order they get done."""
        ...


@dataclass(frozen=True)
class LocalTeacher:
    """A Teacher that asks a generator in this process. It never fails at a single question."""

    generator: Generator
    chat: Chat

    def answer(self, questions: Sequence[Question], sampling: Sampling) -> Results:
        """Yield the answers as the generator's batches get done."""
        requests = [
            Request(tuple(self.chat.prompt_ids(q.messages)), q.seeds, q.name) for q in questions
        ]
        for place, completions in self.generator.generate(requests, sampling):
            length = len(requests[place].prompt_ids)
            for sample, done in enumerate(completions):
                answer = Answer(done.text, done.finish_reason, length, len(done.token_ids))
                yield place, sample, answer
