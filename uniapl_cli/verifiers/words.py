"""Instructions on words at their places: the first, the last, the nth, two side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import PositiveInt

from uniapl_cli.verifiers.checks import Text, TextOrTexts
from uniapl_cli.verifiers.instructions import verifiers
from uniapl_cli.verifiers.sentence_rules import sentences_by_rule
from uniapl_cli.verifiers.text import words


def _only(word: str | Sequence[str]) -> str:
    """Return the word; of a list the first one, as the official code takes it."""
    return (word if isinstance(word, str) else word[0]).strip()


def _starts(text: str, word: str) -> bool:
    own = text.split()
    return bool(own) and own[0].lower() == word.lower()


def _ends(text: str, word: str) -> bool:
    own = text.split()
    return bool(own) and re.sub(r"[^\w\s]", "", own[-1]).lower() == word.lower()


@verifiers.register("first_word:first_word_sent")
def first_word_sent(response: str, *, first_word: TextOrTexts) -> bool:
    """Each sentence starts with the word, in any case, with no punctuation attached."""
    return all(_starts(text, _only(first_word)) for text in sentences_by_rule(response))


@verifiers.register("first_word:first_word_answer")
def first_word_answer(response: str, *, first_word: Text) -> bool:
    """The response starts with the word, in any case, with no punctuation attached."""
    return _starts(response, first_word.strip())


@verifiers.register("last_word:last_word_sent")
def last_word_sent(response: str, *, last_word: TextOrTexts) -> bool:
    """Each sentence ends with the word, in any case, punctuation aside."""
    return all(_ends(text, _only(last_word)) for text in sentences_by_rule(response))


@verifiers.register("last_word:last_word_answer")
def last_word_answer(response: str, *, last_word: Text) -> bool:
    """The response ends with the word, in any case, punctuation aside."""
    return _ends(response, last_word.strip())


@verifiers.register("keywords:keyword_specific_position")
def keyword_specific_position(
    response: str, *, keyword: TextOrTexts, n: PositiveInt, m: PositiveInt
) -> bool:
    """The keyword is the mth word of the nth sentence, case-sensitively; a comma is a word."""
    sentences = sentences_by_rule(response)
    found = words(sentences[n - 1]) if n <= len(sentences) else []
    return m <= len(found) and found[m - 1] == _only(keyword)


@verifiers.register("keywords:start_end")
def start_end(response: str) -> bool:
    """The first and the last word are the same, in any case; a final full stop is the last one."""
    found = words(response)
    return len(found) > 1 and found[0].lower() == found[-1].lower()


@verifiers.register("keywords:palindrome")
def palindrome(response: str) -> bool:
    """A word, punctuation attached to it included, reads the same backwards; "a" and "I" do."""
    return any(word == word[::-1] for word in response.split())


@verifiers.register("keywords:no_adjacent_consecutive")
def no_adjacent_consecutive(response: str) -> bool:
    """No word's first character is, in lower case, followed by the next word's, as "a" by "b"."""
    first = [word[0].lower() for word in response.split()]
    # A letter that two characters make up in lower case, as "İ", fails, as officially.
    return len(first) < 2 or (
        all(len(letter) == 1 for letter in first)
        and all(ord(b) - ord(a) != 1 for a, b in zip(first, first[1:], strict=False))
    )
