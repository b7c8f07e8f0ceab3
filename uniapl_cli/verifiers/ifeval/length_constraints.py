"""length_constraints:* of IFEval: the number of words, sentences and paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import NonNegativeInt, PositiveInt

from uniapl_cli.verifiers.registry import Relation, compare, verifiers
from uniapl_cli.verifiers.text import sentences


def _within(*, nth_paragraph: int, num_paragraphs: int, **_: Any) -> None:
    if nth_paragraph > num_paragraphs:
        raise ValueError(f"nth_paragraph = {nth_paragraph} is not one of 1 to {num_paragraphs}")


@verifiers.register("length_constraints:number_words")
def number_words(response: str, *, num_words: NonNegativeInt, relation: Relation) -> bool:
    """The word count is `relation` `num_words`; "don't" is two words, "4.5" too."""
    return compare(len(re.findall(r"\w+", response)), relation, num_words)


@verifiers.register("length_constraints:number_sentences")
def number_sentences(response: str, *, num_sentences: NonNegativeInt, relation: Relation) -> bool:
    """The sentence count is `relation` `num_sentences`."""
    return compare(len(sentences(response)), relation, num_sentences)


@verifiers.register("length_constraints:number_paragraphs")
def number_paragraphs(response: str, *, num_paragraphs: NonNegativeInt) -> bool:
    """Exactly `num_paragraphs` stand between `***` dividers; an empty one in the middle fails."""
    return exactly_filled(re.split(r"\s?\*\*\*\s?", response), num_paragraphs)


def exactly_filled(parts: Sequence[str], count: int) -> bool:
    """Whether `count` parts are not blank; only the first and the last part may be blank."""
    filled = [bool(part.strip()) for part in parts]
    return all(filled[1:-1]) and sum(filled) == count


@verifiers.register("length_constraints:nth_paragraph_first_word", sensible=_within)
def nth_paragraph_first_word(
    response: str, *, num_paragraphs: int, nth_paragraph: PositiveInt, first_word: str
) -> bool:
    """Of `num_paragraphs` paragraphs between blank lines, the nth starts with `first_word`.

    Blank paragraphs are not counted, but the nth is looked up among all of them, as officially.
    """
    paragraphs = response.split("\n\n")
    count = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    if nth_paragraph > count or not paragraphs[nth_paragraph - 1].strip():
        return False
    word = paragraphs[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    bare = re.split(r"[.,?!'\"]", word, maxsplit=1)[0]
    return count == num_paragraphs and bare.lower() == first_word.lower()
