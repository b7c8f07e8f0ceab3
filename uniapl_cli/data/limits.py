"""The limits on lengths in tokens: rows that are too long are dropped, cut or refused."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from uniapl_cli.data.encode import Answer, Encoded, Part, lengths
from uniapl_cli.data.indexed import Indexed
from uniapl_cli.data.options import Overlong
from uniapl_cli.errors import DataError

log = logging.getLogger("uniapl")

LEFT_OUT = "rows are too long and were left out"
CUT = "responses are too long and are cut at their end, without a stop token"


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

    def room(self, prompt: int) -> int:
        """Return how many tokens of a response are left behind a prompt of so many."""
        return min(self.response, self.context - prompt)


class Selection(Indexed[Encoded]):
    """Some items of a data set, by index; `cut` says where a response ends, without stop token."""

    def __init__(
        self, items: Sequence[Encoded], indices: Sequence[int], cut: Mapping[int, int] | None = None
    ) -> None:
        self.items, self.indices, self.cut = items, array("q", indices), cut or {}

    def read(self, index: int) -> Encoded:
        """Return an item, its response cut where it is to be."""
        place = self.indices[index]
        item = self.items[place]
        if place not in self.cut or item.response is None:
            return item
        return replace(item, response=item.response[: self.cut[place]])

    def __len__(self) -> int:
        return len(self.indices)

    def lengths(self, part: Part) -> list[int | None]:
        """Return the tokens of a part of each item, as `encode.lengths` does."""
        whole = lengths(self.items, part)
        cut = self.cut if part == "response" else {}
        return [cut.get(index, whole[index]) for index in self.indices]


def fit(
    items: Sequence[Encoded],
    limits: Limits,
    overlong: Overlong,
    answers: Sequence[Answer] = (),
) -> Sequence[Encoded]:
    """Return the items whose prompt, and those of `answers` that they have, fit the limits.

    `overlong` decides about a longer one: an error, left out, or its response cut, the stop token
    too, since the teacher did not stop there; the last two are counted and logged. Prompts are
    never cut, nor are preference answers: the label belongs to the full text. Raises DataError,
    also if nothing is left.
    """
    kept: list[int] = []
    cut: dict[int, int] = {}
    first: dict[str, DataError] = {}
    parts: tuple[Part, ...] = ("prompt", *answers)
    of_parts = zip(*(lengths(items, part) for part in parts), strict=True)
    for index, (prompt, *own) in enumerate(of_parts):
        assert prompt is not None, "every row has a prompt"
        tokens = dict(zip(answers, own, strict=True))
        broken = _broken(limits, prompt, tokens)
        if broken is None:
            kept.append(index)
            continue
        curable = "rejected" not in answers and not _broken(limits, prompt, tokens, cut=True)
        fate = CUT if curable and overlong == "truncate" else LEFT_OUT
        if overlong == "error" or fate not in first:
            first[fate] = broken.at(items[index].example.origin)
        if overlong == "error":
            cure = "drop or truncate" if curable else "drop"
            broken.advice = f"Shorten it, or set data.overlong={cure}"
            raise broken
        if fate == CUT:
            cut[index] = limits.room(prompt)
            kept.append(index)
    counts = {CUT: len(cut), LEFT_OUT: len(items) - len(kept)}
    for fate in first:
        log.warning("%d of %d %s; the first: %s", counts[fate], len(items), fate, first[fate])
    if not kept:
        error = first[LEFT_OUT]
        error.problem += f"; all {len(items)} rows are too long: nothing is left to train on"
        raise error
    return Selection(items, kept, cut) if first else items


def _broken(
    limits: Limits, prompt: int, answers: Mapping[Answer, int | None], *, cut: bool = False
) -> DataError | None:
    """Return the error that a row's lengths break a limit. With `cut`: of the row after cutting."""
    errors = [limits.broken(prompt, 0)]
    for name, length in answers.items():
        if length is not None:
            label = "response" if name == "response" else "rejected response"
            errors.append(limits.broken(prompt, 1 if cut else length, label))
    return next((error for error in errors if error is not None), None)
