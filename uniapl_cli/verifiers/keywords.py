"""Instructions on which words and letters occur. Words are regular expressions, in any case."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.verifiers.checks import compiles, not_blank, not_negative
from uniapl_cli.verifiers.instructions import Relation, compare, verifiers


def _whole_word(word: str) -> str:
    return r"\b" + word + r"\b"


def _single(kwargs: Mapping[str, Any]) -> str | None:
    letter = kwargs["letter"]
    return None if len(letter.strip()) == 1 else f"letter = {letter!r} is not one character"


@verifiers.register("keywords:existence", checks=(not_blank("keywords"), compiles("keywords")))
def existence(response: str, *, keywords: Sequence[str]) -> bool:
    """Each keyword occurs, be it within a longer word."""
    return all(re.search(keyword, response, re.IGNORECASE) for keyword in keywords)


_ONE_KEYWORD = (not_blank("keyword"), compiles("keyword", str.strip))


@verifiers.register("keywords:frequency", checks=(*_ONE_KEYWORD, not_negative))
@verifiers.register("keywords:word_count_different_numbers", checks=(*_ONE_KEYWORD, not_negative))
def frequency(response: str, *, keyword: str, frequency: int, relation: Relation) -> bool:
    """The keyword occurs `relation` `frequency` times; "cats" counts for "cat"."""
    matches = re.findall(keyword.strip(), response, re.IGNORECASE)
    return compare(len(matches), relation, frequency)


@verifiers.register(
    "keywords:forbidden_words",
    checks=(not_blank("forbidden_words"), compiles("forbidden_words", _whole_word)),
)
def forbidden_words(response: str, *, forbidden_words: Sequence[str]) -> bool:
    """No forbidden word occurs as a whole word."""
    return not any(
        re.search(_whole_word(word), response, re.IGNORECASE) for word in forbidden_words
    )


@verifiers.register("keywords:word_once", checks=_ONE_KEYWORD)
def word_once(response: str, *, keyword: str) -> bool:
    """The keyword occurs exactly once; "cats" counts for "cat"."""
    return len(re.findall(keyword.strip(), response, re.IGNORECASE)) == 1


@verifiers.register("keywords:exclude_word_harder", checks=(not_blank("keyword"),))
def exclude_word_harder(response: str, *, keyword: str, instruction: str | None = None) -> bool:
    """The keyword does not occur between two spaces, case-sensitively; "cat." is no "cat".

    `instruction` is what the official code draws a keyword from where none is given. Here one must
    be.
    """
    return f" {keyword.strip()} " not in response


@verifiers.register("keywords:letter_frequency", checks=(_single, not_negative))
@verifiers.register("letters:letter_counting2", checks=(_single, not_negative))
def letter_frequency(
    response: str, *, letter: str, let_frequency: int, let_relation: Relation
) -> bool:
    """The letter occurs, in either case, `let_relation` `let_frequency` times.

    Any other character is counted as it stands. The official code draws a random letter in its
    place, so its verdicts on IFEval's keys 1122 ('#') and 1129 ('!') are no reference.
    """
    count = response.lower().count(letter.strip().lower())
    return compare(count, let_relation, let_frequency)
