"""count:* of IFEvalG: how many lower-case, repeated or given words and parts occur."""

from __future__ import annotations

import re

from pydantic import PositiveInt

from uniapl_cli.verifiers.ifevalg.sentences import sentences_by_rule
from uniapl_cli.verifiers.kwargs import Keyword
from uniapl_cli.verifiers.patterns import occurrences
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import words


@verifiers.register("count:lowercase_counting", unwrap=True)
def lowercase_counting(response: str, *, N: PositiveInt) -> bool:
    """At most N words of lower-case letters a to z occur, all of them counted together."""
    return len(re.findall(r"\b[a-z]+\b", response)) <= N


@verifiers.register("count:count_unique", unwrap=True)
def count_unique(response: str) -> bool:
    """No word occurs twice, nor any mark of punctuation; "The" and "the" are two words."""
    tokens = words(response)
    return len(tokens) == len(set(tokens))


@verifiers.register("count:count_increment_word", unwrap=True)
def count_increment_word(response: str, *, keyword1: Keyword, keyword2: Keyword) -> bool:
    """The first keyword occurs once and the second twice, also within longer words."""
    counts = [occurrences(keyword.strip(), response) for keyword in (keyword1, keyword2)]
    return counts == [1, 2]


@verifiers.register("count:counting_composition", unwrap=True)
def counting_composition(response: str, *, n_sent: PositiveInt, n_words: PositiveInt) -> bool:
    """Three paragraphs between `***` have `n_sent` sentences of `n_words` words each.

    The instruction's text writes the divider as `* * *`. The full stop is a word. A divider at the
    start or end leaves an empty paragraph there, which fails.
    """
    paragraphs = re.split(r"\s?\*\*\*\s?", response)
    return len(paragraphs) == 3 and all(_composed(text, n_sent, n_words) for text in paragraphs)


def _composed(paragraph: str, n_sent: int, n_words: int) -> bool:
    sentences = sentences_by_rule(paragraph)
    return len(sentences) == n_sent and all(len(words(one)) == n_words for one in sentences)
