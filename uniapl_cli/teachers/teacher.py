"""What a teacher is: a model that answers questions, in this process or behind a server."""

from __future__ import annotations

from collections import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from uniapl_cli.chat.thinking import read_thoughts
from uniapl_cli.types import FinishReason, Message, Progress, Sampling


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to answer once for each seed. `name` is for messages.

    `tools` are the functions that the conversation offers.
    """

    messages: tuple[Message, ...]
    seeds: tuple[int, ...]
    name: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and the lengths of prompt and response in tokens; the stop token counts.

    `text` holds its thoughts too. A length is None where a server does not tell it.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int | None
    response_tokens: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: `reason` in one line, `kind` for counting."""

    reason: str
    kind: str


# Index of the question, index of the seed, and what came of it.
Result = tuple[int, int, Answer | Failure]
Results = abc.Generator[Result, None, None]


def flaw(text: str, finish_reason: FinishReason) -> Failure | None:
    """Return why a response must not be learnt from, or None.

    One that ends without having said anything would teach silence, and one that is no text cannot
    be written. A response that was cut off may be empty: it is known not to be whole.
    """
    if bad := next((c for c in text if "\ud800" <= c <= "\udfff"), None):
        return Failure(f"the response holds \\u{ord(bad):04x}, which is no text", "unusable text")
    thoughts = read_thoughts(text)
    if finish_reason == "stop" and not thoughts.answer.strip():
        thought = ", it only thinks" if thoughts.reasoning else ""
        return Failure(f"the response ends and says nothing{thought}", "empty answer")
    return None


class Teacher(Protocol):
    """Answers questions, whatever it says: whether that can be learnt from, `flaw` tells."""

    def answer(
        self,
        questions: Sequence[Question],
        sampling: Sampling,
        progress: Progress | None = None,
    ) -> Results:
        """Yield one Result a question and seed, in the order they get done.

        `progress` is for a teacher that knows of its tokens before its answers are whole.
        """
        ...
