"""Instructions on which words and letters occur. Words are regular expressions, in any case."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, NonNegativeInt

from uniapl_cli.verifiers.checks import Keyword, Text, Texts, compiles
from uniapl_cli.verifiers.instructions import Relation, compare, verifiers


def _whole_word(word: str) -> str:
    return r"\b" + word + r"\b"


def _single(letter: str) -> str:
    if len(letter.strip()) != 1:
        raise ValueError("is not one character")
    return letter


@verifiers.register("keywords:existence")
def existence(response: str, *, keywords: Annotated[Texts, compiles()]) -> bool:
    """Each keyword occurs, be it within a longer word."""
    return all(re.search(keyword, response, re.IGNORECASE) for keyword in keywords)


@verifiers.register("keywords:frequency")
@verifiers.register("keywords:word_count_different_numbers")
def frequency(
    response: str, *, keyword: Keyword, frequency: NonNegativeInt, relation: Relation
) -> bool:
    """The keyword occurs `relation` `frequency` times; "cats" counts for "cat"."""
    matches = re.findall(keyword.strip(), response, re.IGNORECASE)
    return compare(len(matches), relation, frequency)


@verifiers.register("keywords:forbidden_words")
def forbidden_words(
    response: str, *, forbidden_words: Annotated[Texts, compiles(_whole_word)]
) -> bool:
    """No forbidden word occurs as a whole word."""
    return not any(
        re.search(_whole_word(word), response, re.IGNORECASE) for word in forbidden_words
    )


@verifiers.register("keywords:word_once")
def word_once(response: str, *, keyword: Keyword) -> bool:
    """The keyword occurs exactly once; "cats" counts for "cat"."""
    return len(re.findall(keyword.strip(), response, re.IGNORECASE)) == 1


@verifiers.register("keywords:exclude_word_harder")
def exclude_word_harder(response: str, *, keyword: Text, instruction: str | None = None) -> bool:
    """The keyword does not occur between two spaces, case-sensitively; "cat." is no "cat".

    `instruction` is what the official code draws a keyword from where none is given. Here one must
    be.
    """
    return f" {keyword.strip()} " not in response


Letter = Annotated[str, AfterValidator(_single)]


@verifiers.register("keywords:letter_frequency")
@verifiers.register("letters:letter_counting2")
def letter_frequency(
    response: str, *, letter: Letter, let_frequency: NonNegativeInt, let_relation: Relation
) -> bool:
    """The letter occurs, in either case, `let_relation` `let_frequency` times.

    Any other character is counted as it stands. The official code draws a random letter in its
    place, so its verdicts on IFEval's keys 1122 ('#') and 1129 ('!') are no reference.
    """
    count = response.lower().count(letter.strip().lower())
    return compare(count, let_relation, let_frequency)
