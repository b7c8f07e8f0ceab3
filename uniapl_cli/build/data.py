"""Files named in a config to checked examples."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uniapl_cli.chat import Chat
from uniapl_cli.config import schema
from uniapl_cli.data import read_examples
from uniapl_cli.errors import DataError
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Example
from uniapl_cli.verifiers import constraints

log = logging.getLogger("uniapl")


def examples(config: schema.Config, path: str) -> list[Example]:
    """Read a file's examples in the config's layout."""
    return list(read_examples(Path(resolve(path)), config.data.layout, constraints))


@dataclass(frozen=True)
class Limits:
    """What a row may hold. `answer` is how long the policy's own responses may get, 0 for none."""

    prompt: int
    response: int
    answer: int
    context: int

    def broken(self, prompt: int, response: int) -> str | None:
        """Say which limit a row's lengths in tokens break, or None."""
        if prompt > self.prompt:
            return f"the prompt has {prompt} tokens, data.max_prompt_tokens is {self.prompt}"
        if response > self.response:
            return (
                f"the response has {response} tokens, data.max_response_tokens is {self.response}"
            )
        if prompt + max(response, self.answer) > self.context:
            longer = "of response" if response > self.answer else "of sampling.max_new_tokens"
            return (
                f"{prompt} tokens of prompt and {max(response, self.answer)} {longer} exceed the "
                f"model's context of {self.context}"
            )
        return None


def fitting(
    chat: Chat,
    given: Sequence[Example],
    limits: Limits,
    overlong: Literal["error", "drop"],
    *,
    responses: bool,
) -> list[Example]:
    """Return the examples that fit the limits; `responses` counts the demonstrations' too.

    A longer one is an error, or is left out, counted and reported, as `overlong` says.
    """
    kept, dropped = [], 0
    for example in given:
        prompt = len(chat.prompt_ids(example.prompt))
        response = len(chat.response_ids(example.response or "")) if responses else 0
        broken = limits.broken(prompt, response)
        if broken is None:
            kept.append(example)
        elif overlong == "drop":
            dropped += 1
        else:
            raise DataError(f"{example.origin}: {broken}: shorten it, or set data.overlong=drop")
    if dropped:
        log.warning("%d of %d rows are too long and were left out", dropped, len(given))
    if not kept:
        raise DataError(f"all {len(given)} rows are too long: nothing is left to train on")
    return kept


def check_columns(given: list[Example], needs: dict[str, bool], why: str) -> None:
    """Refuse examples that lack what the active terms need. Raises DataError."""
    for example in given:
        if needs.get("teacher") and example.response is None:
            raise DataError(
                f"{example.origin}: no 'response' by the teacher, which {why} compares with; "
                "run uniapl teacher-gen on these prompts"
            )
        if needs.get("constraints") and not example.constraints:
            raise DataError(f"{example.origin}: no constraints, so {why} has nothing to verify")
