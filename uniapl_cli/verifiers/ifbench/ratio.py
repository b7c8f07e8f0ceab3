"""ratio:* of IFBench: shares of words, kinds of sentences, of a text that is to be kept."""

from __future__ import annotations

import re

from pydantic import NonNegativeFloat

from uniapl_cli.verifiers import needs
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.stopwords import stopwords
from uniapl_cli.verifiers.text import sentences

_LIST = needs.data("stopwords", lambda: bool(stopwords()))
# How far an overlap may be from what is asked for, in percent.
_OFF = 2


def _ends(response: str, marks: str) -> list[int]:
    """Count the sentences that end with each mark."""
    split = sentences(response)
    return [sum(sentence.endswith(mark) for sentence in split) for mark in marks]


def _trigrams(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(len(text) - 2)}


@verifiers.register("ratio:overlap", evaluation=True)
def overlap(response: str, *, reference_text: str, percentage: NonNegativeFloat) -> bool:
    """Of the response's trigrams, `percentage` percent, give or take 2, are the reference's.

    An error kept: they are trigrams of characters, not of words.
    """
    own = _trigrams(response)
    if not own:
        return False
    share = len(own & _trigrams(reference_text)) / len(own) * 100
    return percentage - _OFF <= share <= percentage + _OFF


@verifiers.register("ratio:sentence_balance", evaluation=True)
def sentence_balance(response: str) -> bool:
    """As many sentences end with "." as with "?" and with "!".

    An error kept: none of each passes.
    """
    return len(set(_ends(response, ".?!"))) == 1


@verifiers.register("ratio:sentence_type", evaluation=True)
def sentence_type(response: str) -> bool:
    """Twice as many sentences end with "." as with "?".

    An error kept: none of each passes.
    """
    declarative, interrogative = _ends(response, ".?")
    return declarative == 2 * interrogative


@verifiers.register("ratio:sentence_words", evaluation=True)
def sentence_words(response: str) -> bool:
    """Three sentences have the same number of characters.

    An error kept: whether their words differ is not looked at.
    """
    split = sentences(response)
    return len(split) == 3 and len({len(sentence.strip()) for sentence in split}) == 1


@verifiers.register("ratio:stop_words", evaluation=True, needs=_LIST)
def stop_words(response: str, *, percentage: NonNegativeFloat) -> bool:
    """At most `percentage` percent of the words are nltk's stop words; "don't" is two words."""
    words = re.findall(r"\w+", response)
    if not words:
        return False
    count = sum(word.lower() in stopwords() for word in words)
    return count / len(words) * 100 <= percentage
