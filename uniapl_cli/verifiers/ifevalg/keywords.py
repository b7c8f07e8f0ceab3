"""keywords:* of IFEvalG: which words occur and where; the first letters of the words."""

from __future__ import annotations

from pydantic import PositiveInt

from uniapl_cli.verifiers.ifeval.keywords import frequency
from uniapl_cli.verifiers.ifevalg.sentences import sentences_by_rule
from uniapl_cli.verifiers.kwargs import Keyword, Text, TextOrTexts, first_text
from uniapl_cli.verifiers.patterns import occurrences
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import words

verifiers.register("keywords:word_count_different_numbers", unwrap=True)(frequency)


@verifiers.register("keywords:word_once", unwrap=True)
def word_once(response: str, *, keyword: Keyword) -> bool:
    """The keyword occurs exactly once; "cats" counts for "cat"."""
    return occurrences(keyword.strip(), response) == 1


@verifiers.register("keywords:exclude_word_harder", unwrap=True)
def exclude_word_harder(response: str, *, keyword: Text, instruction: str | None = None) -> bool:
    """The keyword does not occur between two spaces, case-sensitively; "cat." is no "cat".

    `instruction` is what the official code draws a keyword from if none is given; here the keyword
    is required.
    """
    return f" {keyword.strip()} " not in response


@verifiers.register("keywords:keyword_specific_position", unwrap=True)
def keyword_specific_position(
    response: str, *, keyword: TextOrTexts, n: PositiveInt, m: PositiveInt
) -> bool:
    """The keyword is the mth word of the nth sentence, case-sensitively; a comma is a word."""
    sentences = sentences_by_rule(response)
    tokens = words(sentences[n - 1]) if n <= len(sentences) else []
    return m <= len(tokens) and tokens[m - 1] == first_text(keyword)


@verifiers.register("keywords:start_end", unwrap=True)
def start_end(response: str) -> bool:
    """The first and the last word are the same, in any case; a final full stop is the last one."""
    tokens = words(response)
    return len(tokens) > 1 and tokens[0].lower() == tokens[-1].lower()


@verifiers.register("keywords:palindrome", unwrap=True)
def palindrome(response: str) -> bool:
    """A word, punctuation attached to it included, reads the same backwards; "a" and "I" do."""
    return any(word == word[::-1] for word in response.split())


@verifiers.register("keywords:no_adjacent_consecutive", unwrap=True)
def no_adjacent_consecutive(response: str) -> bool:
    """No word's first character is, in lower case, followed by the next word's, as "a" by "b"."""
    first = [word[0].lower() for word in response.split()]
    # A letter that two characters make up in lower case, as "İ", fails, as officially.
    return len(first) < 2 or (
        all(len(letter) == 1 for letter in first)
        and all(ord(b) - ord(a) != 1 for a, b in zip(first, first[1:], strict=False))
    )
