"""Encodes examples as token ids; rows that the chat template refuses are bad rows."""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from uniapl_cli.chat import Chat
from uniapl_cli.chat.thinking import read_thoughts, thoughts_of
from uniapl_cli.data.collector import paused
from uniapl_cli.data.examples import BadRows
from uniapl_cli.data.rows import BadRow
from uniapl_cli.errors import DataError, ModelError
from uniapl_cli.files import dump
from uniapl_cli.runs.console import Bar
from uniapl_cli.types import Example

log = logging.getLogger("uniapl")

Answer = Literal["response", "rejected"]
Part = Literal["prompt", "response", "rejected"]
Ids = array  # of C ints: 4 bytes a token, where a list takes 8 or more

# Rows whose texts go to the tokenizer together.
CHUNK = 1024

THOUGHTS_LEFT_OUT = "answers whose thoughts are left out (chat.thinking=true keeps them)"
WITHOUT_THOUGHTS = "answers without thoughts, which teach a model that may think not to"
CUT_OFF = "responses that were cut off and are taught without a stop token"
EARLIER_LEFT_OUT = "thoughts of earlier turns that the chat template leaves out"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example with the ids of its prompt and of its answers, their stop tokens included.

    A response that was cut off has no stop token.
    """

    example: Example
    prompt: Ids[int]
    response: Ids[int] | None = None
    rejected: Ids[int] | None = None


@paused()
def encode(
    chat: Chat,
    examples: Iterable[Example],
    answers: Sequence[Answer] = ("response", "rejected"),
    progress: Bar | None = None,
    bad: BadRows | None = None,
) -> list[Encoded]:
    """Return the examples with the ids of their prompts and of those of `answers` that they have.

    Equal prompts are encoded once. `bad` takes the rows that the chat template refuses; without it,
    or if it holds too many, the row's DataError is raised.
    """
    encoder = Encoder(chat, answers, bad if bad is not None else BadRows(0))
    encoded = []
    for chunk in chunks(examples):
        encoded += encoder.chunk(chunk)
        if progress is not None:
            progress.advance(len(chunk))
    encoder.report()
    return encoded


def lengths(items: Sequence[Encoded], part: Part) -> Sequence[int | None]:
    """Return the tokens of each item's prompt or answer; None where it has no such answer.

    A sequence that knows them, without making its items, says so by a method of this name.
    """
    known = getattr(items, "lengths", None)
    if known is not None:
        found: Sequence[int | None] = known(part)
        return found
    return [None if (ids := getattr(item, part)) is None else len(ids) for item in items]


def chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Yield the examples in lists of CHUNK."""
    source = iter(examples)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


@dataclass
class Encoder:
    """Encodes chunks of examples. `counts`: what was left out of texts, for messages.

    Equal prompts are encoded once. repeated: hashes of the keys of prompts that occur more than
    once, where the other prompts are to be forgotten.
    """

    chat: Chat
    answers: Sequence[Answer]
    bad: BadRows
    repeated: Container[int] | None = None
    prompts: dict[Hashable, Ids[int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def chunk(self, examples: Sequence[Example]) -> list[Encoded]:
        """Encode some examples. Raises DataError for one bad row more than tolerated."""
        texts: dict[Hashable, str] = {}
        turns: dict[int, Ids[int]] = {}
        good: list[Example] = []
        for example in examples:
            try:
                self._render(example, texts)
                self.chat.between_ids(example.prompt, example.next_turns, example.tools)
                self._check_answers(example)
                if example.response_fields and "response" in self.answers:
                    turns[len(good)] = self._turn(example)
            except ModelError as error:
                refused = DataError(error.problem, error.advice, where=example.origin)
                self.bad.add(BadRow(dict(example.row), refused))
            else:
                good.append(example)
        ids = self.chat.encode_prompts(list(texts.values()))
        self.prompts.update(zip(texts, map(_packed, ids), strict=True))
        own = {name: self._encode_answers(good, name) for name in self.answers}
        if turns:
            own["response"] = {**own["response"], **turns}
        own = {name: self._without_stop(good, name, ids) for name, ids in own.items()}
        items = [
            Encoded(
                example,
                self.prompts[prompt_key(example)],
                **{name: own[name].get(index) for name in self.answers},
            )
            for index, example in enumerate(good)
        ]
        if self.repeated is not None:
            for key in texts:
                if hash(key) not in self.repeated:
                    del self.prompts[key]
        return items

    def report(self) -> None:
        """Log what was left out of the texts so far."""
        for what, count in self.counts.items():
            if count:
                log.warning("%s: %d", what, count)

    def _render(self, example: Example, texts: dict[Hashable, str]) -> None:
        """Render the example's prompt unless it has been. Raises ModelError."""
        key = prompt_key(example)
        if key in self.prompts or key in texts:
            return
        text = texts[key] = self.chat.render(example.prompt, example.tools)
        earlier = [reasoning for turn in example.prompt for reasoning in thoughts_of(turn)]
        if earlier:
            shown = self.chat.show(text)
            self.counts[EARLIER_LEFT_OUT] += sum(reasoning not in shown for reasoning in earlier)

    def _check_answers(self, example: Example) -> None:
        """Count thoughts that are left out of answers. Raises ModelError if nothing is left."""
        for name in self.answers:
            text: str | None = getattr(example, name)
            if text is None:
                continue
            thoughts = read_thoughts(text)
            if _is_cut(example, name) and not text.strip():
                problem = "the response was cut off before it said anything"
                raise ModelError(problem, "uniapl filter-gt leaves such rows out")
            if self.chat.thinking:
                self.counts[WITHOUT_THOUGHTS] += thoughts.reasoning is None
            elif thoughts.reasoning:
                self.counts[THOUGHTS_LEFT_OUT] += 1
                if not thoughts.answer and not example.response_fields:
                    raise ModelError(
                        f"the {name} is thoughts only, without an answer",
                        "Set chat.thinking=true to learn thoughts, or leave the row out",
                    )

    def _turn(self, example: Example) -> Ids[int]:
        response, fields = str(example.response), example.response_fields
        return _packed(self.chat.turn_ids(example.prompt, response, fields, example.tools))

    def _encode_answers(self, examples: Sequence[Example], name: Answer) -> Mapping[int, Ids[int]]:
        texts = {i: text for i, e in enumerate(examples) if (text := getattr(e, name)) is not None}
        ids = self.chat.encode_responses(list(texts.values()))
        return dict(zip(texts, map(_packed, ids), strict=True))

    def _without_stop(
        self, examples: Sequence[Example], name: Answer, ids: Mapping[int, Ids[int]]
    ) -> Mapping[int, Ids[int]]:
        """Take the stop token off answers that were cut off: their model did not stop there."""
        cut = {i: ids[i][:-1] for i, e in enumerate(examples) if i in ids and _is_cut(e, name)}
        self.counts[CUT_OFF] += len(cut)
        return {**ids, **cut}


def _is_cut(example: Example, name: Answer) -> bool:
    """Whether an answer was cut off: the response, or a rejected answer without one beside it."""
    return not example.finished and (name == "response" or example.response is None)


def prompt_key(example: Example) -> Hashable:
    """Return what decides the prompt's ids: its turns, and the tools that it offers."""
    if not example.tools:
        return example.prompt
    return example.prompt, "".join(map(dump, example.tools))


def _packed(ids: Sequence[int]) -> Ids[int]:
    return array("i", ids)
