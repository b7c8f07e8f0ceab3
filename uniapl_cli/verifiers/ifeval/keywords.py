"""keywords:* of IFEval: which words, given as regular expressions, and letters occur."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, NonNegativeInt

from uniapl_cli.verifiers.kwargs import Keyword, Texts, compiles
from uniapl_cli.verifiers.patterns import occurrences, occurs
from uniapl_cli.verifiers.registry import Relation, compare, verifiers


def _whole_word(word: str) -> str:
    return r"\b" + word + r"\b"


def _single(letter: str) -> str:
    if len(letter.strip()) != 1:
        raise ValueError("is not one character")
    return letter


@verifiers.register("keywords:existence")
def existence(response: str, *, keywords: Annotated[Texts, compiles()]) -> bool:
    """Each keyword occurs, also within a longer word."""
    return all(occurs(keyword, response) for keyword in keywords)


@verifiers.register("keywords:frequency")
def frequency(
    response: str, *, keyword: Keyword, frequency: NonNegativeInt, relation: Relation
) -> bool:
    """The keyword occurs `relation` `frequency` times; "cats" counts for "cat"."""
    return compare(occurrences(keyword.strip(), response), relation, frequency)


@verifiers.register("keywords:forbidden_words")
def forbidden_words(
    response: str, *, forbidden_words: Annotated[Texts, compiles(_whole_word)]
) -> bool:
    """No forbidden word occurs as a whole word."""
    return not any(occurs(word, response, before=r"\b", after=r"\b") for word in forbidden_words)


Letter = Annotated[str, AfterValidator(_single)]


@verifiers.register("keywords:letter_frequency")
def letter_frequency(
    response: str, *, letter: Letter, let_frequency: NonNegativeInt, let_relation: Relation
) -> bool:
    """The letter occurs, in either case, `let_relation` `let_frequency` times.

    Any other character is counted as it stands. The official code draws a random letter in its
    place, so its verdicts on IFEval's keys 1122 ('#') and 1129 ('!') are no reference.
    """
    count = response.lower().count(letter.strip().lower())
    return compare(count, let_relation, let_frequency)
