"""Encodes examples as token ids, and drops, cuts or refuses those that are too long."""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from uniapl_cli.chat import Chat
from uniapl_cli.data.collector import paused
from uniapl_cli.data.options import Overlong
from uniapl_cli.errors import DataError, ModelError
from uniapl_cli.runs.console import Bar
from uniapl_cli.types import Example, Message

log = logging.getLogger("uniapl")

Answer = Literal["response", "rejected"]
Ids = array  # of C ints: 4 bytes a token, where a list takes 8 or more

# Rows whose texts go to the tokenizer together.
CHUNK = 1024

LEFT_OUT = "rows are too long and were left out"
CUT = "responses are too long and are cut at their end, without a stop token"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example with the ids of its prompt and of its answers, their stop tokens included."""

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
) -> list[Encoded]:
    """Return the examples with the ids of their prompts and of those of `answers` that they have.

    Equal prompts are encoded once. Raises DataError if a prompt cannot be rendered.
    """
    prompts: dict[tuple[Message, ...], Ids[int]] = {}
    encoded = []
    for chunk in _chunks(examples):
        _add_prompts(chat, chunk, prompts)
        ids = {name: _answers(chat, chunk, name) for name in answers}
        for index, example in enumerate(chunk):
            own = {name: ids[name].get(index) for name in answers}
            encoded.append(Encoded(example, prompts[example.prompt], **own))
        if progress is not None:
            progress.advance(len(chunk))
    return encoded


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    source = iter(examples)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _add_prompts(
    chat: Chat, chunk: Sequence[Example], prompts: dict[tuple[Message, ...], Ids[int]]
) -> None:
    texts: dict[tuple[Message, ...], str] = {}
    for example in chunk:
        if example.prompt not in prompts and example.prompt not in texts:
            try:
                texts[example.prompt] = chat.render(example.prompt)
            except ModelError as error:
                raise DataError(error.problem, error.advice, where=example.origin) from None
    ids = chat.encode_prompts(list(texts.values()))
    prompts.update(zip(texts, map(_packed, ids), strict=True))


def _answers(chat: Chat, chunk: Sequence[Example], name: Answer) -> Mapping[int, Ids[int]]:
    texts = {i: text for i, e in enumerate(chunk) if (text := getattr(e, name)) is not None}
    ids = chat.encode_responses(list(texts.values()))
    return dict(zip(texts, map(_packed, ids), strict=True))


def _packed(ids: Sequence[int]) -> Ids[int]:
    return array("i", ids)


@dataclass(frozen=True)
class Limits:
    """Most tokens of a row. `answer`: of the policy's own responses, 0 if it gives none."""

    prompt: int
    response: int
    answer: int
    context: int

    def broken(self, prompt: int, response: int, name: str = "response") -> DataError | None:
        """Return the error of the limit that a row's lengths in tokens break, or None.

        `name` is what the message calls the answer.
        """
        if prompt > self.prompt:
            problem = f"the prompt has {prompt} tokens, data.max_prompt_tokens is {self.prompt}"
            return DataError(problem, key="data.max_prompt_tokens", got=prompt)
        if response > self.response:
            problem = (
                f"the {name} has {response} tokens, data.max_response_tokens is {self.response}"
            )
            return DataError(problem, key="data.max_response_tokens", got=response)
        longest = max(response, self.answer)
        if prompt + longest > self.context:
            source = "of response" if response > self.answer else "of sampling.max_new_tokens"
            problem = f"{prompt} tokens of prompt and {longest} {source} exceed the model's context"
            if not longest:
                problem = f"the prompt's {prompt} tokens exceed the model's context"
            problem += f" of {self.context}"
            return DataError(problem, got=prompt + longest)
        return None

    def cut(self, item: Encoded) -> Encoded:
        """Cut a response to its limit and to what the prompt leaves of the context.

        The stop token is cut off too, since the teacher did not stop there.
        """
        assert item.response is not None, "only a response is cut"
        length = min(self.response, self.context - len(item.prompt))
        return replace(item, response=item.response[:length])


def fit(
    items: Sequence[Encoded],
    limits: Limits,
    overlong: Overlong,
    answers: Sequence[Answer] = (),
) -> list[Encoded]:
    """Return the items whose prompt, and those of `answers` that they have, fit the limits.

    `overlong` decides about a longer one: an error, left out, or its response cut; the last two are
    counted and logged. Prompts are never cut, nor are preference answers: the label belongs to the
    full text. Raises DataError, also if nothing is left.
    """
    kept: list[Encoded] = []
    counts: Counter[str] = Counter()
    first: dict[str, DataError] = {}
    for item in items:
        broken = _broken(item, limits, answers)
        if broken is None:
            kept.append(item)
            continue
        curable = "rejected" not in answers and _broken(item, limits, answers, cut=True) is None
        if overlong == "error":
            cure = "drop or truncate" if curable else "drop"
            broken.advice = f"Shorten it, or set data.overlong={cure}"
            raise broken
        fate = CUT if curable and overlong == "truncate" else LEFT_OUT
        counts[fate] += 1
        first.setdefault(fate, broken)
        if fate == CUT:
            kept.append(limits.cut(item))
    for fate, count in counts.items():
        log.warning("%d of %d %s; the first: %s", count, len(items), fate, first[fate])
    if not kept:
        error = first[LEFT_OUT]
        error.problem += f"; all {len(items)} rows are too long: nothing is left to train on"
        raise error
    return kept


def _broken(
    item: Encoded, limits: Limits, answers: Sequence[Answer], *, cut: bool = False
) -> DataError | None:
    """Return the error that a row is too long, or None. With `cut`: of the row after cutting."""
    errors = [limits.broken(len(item.prompt), 0)]
    for name in answers:
        ids: Ids[int] | None = getattr(item, name)
        if ids is not None:
            label = "response" if name == "response" else "rejected response"
            errors.append(limits.broken(len(item.prompt), 1 if cut else len(ids), label))
    broken = next((error for error in errors if error is not None), None)
    return None if broken is None else broken.at(item.example.origin)
