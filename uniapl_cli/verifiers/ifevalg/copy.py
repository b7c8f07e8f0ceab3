"""copy:* and new:* of IFEvalG: the prompt, a part of it or a phrase is copied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, NonNegativeInt, PositiveInt

from uniapl_cli.verifiers.kwargs import Text, compiles
from uniapl_cli.verifiers.patterns import find_all
from uniapl_cli.verifiers.registry import verifiers


def _same(text: str, other: str) -> bool:
    return text.strip().lower() == other.strip().lower()


def _span(*, n_start: int, n_end: int, **_: Any) -> None:
    if n_start >= n_end:
        raise ValueError(f"n_start = {n_start}, n_end = {n_end} bound no span")


def _ends(phrase: str) -> str:
    words = phrase.split()
    return rf"{words[0]} .*? {words[-1]}"


def _ungrouped(phrase: str) -> str:
    if re.compile(_ends(phrase)).groups:
        raise ValueError("has a group at an end: only that would be compared")
    return phrase


@verifiers.register("copy:copy", unwrap=True)
@verifiers.register("copy:copying_simple", unwrap=True)
def copying(response: str, *, prompt_to_repeat: Text) -> bool:
    """The response is the prompt, in any case, and nothing else."""
    return _same(response, prompt_to_repeat)


@verifiers.register("copy:copying_multiple", unwrap=True)
def copying_multiple(response: str, *, prompt_to_repeat: Text, N: PositiveInt) -> bool:
    """The response is the prompt N times, in any case, with `******` in between."""
    parts = response.split("******")
    return len(parts) == N and all(_same(part, prompt_to_repeat) for part in parts)


@verifiers.register("new:copy_span_idx", unwrap=True, sensible=_span)
def copy_span_idx(
    response: str, *, prompt_to_repeat: Text, n_start: NonNegativeInt, n_end: PositiveInt
) -> bool:
    """The response is the prompt's characters from `n_start` up to, not including, `n_end`.

    The instruction's text says "including". An `n_start` of 0 is the first character; the official
    code draws a random start in its place.
    """
    return _same(response, prompt_to_repeat[n_start:n_end])


Phrase = Annotated[Text, compiles(_ends), AfterValidator(_ungrouped)]


@verifiers.register("copy:repeat_phrase", unwrap=True)
def repeat_phrase(response: str, *, phrase: Phrase, small_n: PositiveInt) -> bool:
    """The phrase occurs `small_n` times, each time with exactly one of its words replaced.

    An occurrence starts with the phrase's first word and ends with its next last word on the same
    line; both are regular expressions, and may be parts of longer words.
    """
    words = phrase.split()
    occurrences = [text.split() for text in _occurrences(response, phrase)]
    return len(occurrences) == small_n and all(_one_replaced(own, words) for own in occurrences)


def _one_replaced(own: Sequence[str], words: Sequence[str]) -> bool:
    if len(own) != len(words):
        return False
    return sum(one != other for one, other in zip(own, words, strict=True)) == 1


def _occurrences(response: str, phrase: str) -> list[str]:
    """Find all occurrences; in linear time if the phrase's ends are plain words.

    A response that loops on the first word must not stall a run: each line is cut off after the
    last occurrence of the last word, so that the search from a first word always succeeds.
    """
    first, last = phrase.split()[0], phrase.split()[-1]
    if re.escape(first) != first or re.escape(last) != last:
        return find_all(_ends(phrase), response)
    tail = f" {last}"
    lines = (line[: line.rfind(tail) + len(tail)] for line in response.split("\n") if tail in line)
    return [text for line in lines for text in re.findall(_ends(phrase), line)]
