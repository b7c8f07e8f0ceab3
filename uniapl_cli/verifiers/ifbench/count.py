"""count:* of IFBench: how many words, names, numbers and marks occur."""

from __future__ import annotations

import re

from pydantic import NonNegativeInt, PositiveInt

from uniapl_cli.verifiers.ifbench.marks import EDGES, without_marks
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import words


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CONJUNCTIONS = _set("and but for nor or so yet")
_NAMES = _set(
    """
    Abigail Alexander Amelia Andrew Aria Audrey Ava Benjamin Charlotte Chloe Christopher Claire
    Daniel David Elijah Ella Emma Ethan Gabriel Grace Hannah Harper Isabella Jackson Jacob Jonathan
    Joseph Layla Leo Liam Lily Lucas Mason Matthew Mia Nathan Nicholas Noah Nora Olivia Owen
    Penelope Ryan Samuel Scarlett Sophia Stella Thomas Victoria Zoe
    """
)
_PRONOUNS = _set(
    """
    i me my mine myself we us our ours ourselves you your yours yourself yourselves
    he him his himself she her hers herself it its itself they them their theirs themselves
    this that these those who whom whose which what whoever whomever whatever whichever
    anybody anyone anything everybody everyone everything nobody nothing none
    somebody someone something each either neither both all some any
    """
)
_TIMES = (1, 2, 3, 5, 7)
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@verifiers.register("count:conjunctions", evaluation=True)
def conjunctions(response: str, *, small_n: NonNegativeInt) -> bool:
    """At least `small_n` of and, but, for, nor, or, so, yet occur.

    An error kept: the words are told apart as they are written, so "And", "and" and "and," are
    three.
    """
    written = set(response.split())
    return sum(word.strip(EDGES).lower() in _CONJUNCTIONS for word in written) >= small_n


@verifiers.register("count:keywords_multiple", evaluation=True)
def keywords_multiple(
    response: str,
    *,
    keyword1: Text,
    keyword2: Text,
    keyword3: Text,
    keyword4: Text,
    keyword5: Text,
) -> bool:
    """The keywords occur 1, 2, 3, 5 and 7 times, in any case; "cats" counts for "cat"."""
    keywords, text = (keyword1, keyword2, keyword3, keyword4, keyword5), response.lower()
    return all(
        text.count(keyword.strip().lower()) == times
        for keyword, times in zip(keywords, _TIMES, strict=True)
    )


@verifiers.register("count:numbers", evaluation=True)
def numbers(response: str, *, N: NonNegativeInt) -> bool:
    """Exactly N runs of digits occur; marks are removed first, so that "3.5" and "1,2" are one."""
    return len(re.findall(r"\d+", without_marks(response))) == N


@verifiers.register("count:person_names", evaluation=True)
def person_names(response: str, *, N: NonNegativeInt) -> bool:
    """At least N of the prompt's fifty names occur as whole words, case-sensitively."""
    return len(_NAMES.intersection(re.findall(r"\w+", response))) >= N


@verifiers.register("count:pronouns", evaluation=True)
def pronouns(response: str, *, N: NonNegativeInt) -> bool:
    """Pronouns occur at least N times, also the same one; "she/her" are two."""
    tokens = words(response.replace("/", " ").lower())
    return sum(token in _PRONOUNS for token in tokens) >= N


@verifiers.register("count:punctuation", evaluation=True)
def punctuation(response: str) -> bool:
    """An interrobang occurs, "?!", "!?" or "‽", and beside it each of . , ! ? ; and :."""
    if not any(mark in response for mark in ("?!", "!?", "‽")):
        return False
    written = "?!" if "?!" in response else "!?"
    rest = response.replace(written, "", 1)
    return all(mark in rest for mark in ".,!?;:")


@verifiers.register("count:unique_word_count", evaluation=True)
def unique_word_count(response: str, *, N: NonNegativeInt) -> bool:
    """At least N different words occur, in lower case; a mark by itself is one of them."""
    return len({word.strip(EDGES) for word in response.lower().split()}) >= N


@verifiers.register("count:word_count_range", evaluation=True)
def word_count_range(
    response: str, *, min_words: NonNegativeInt, max_words: NonNegativeInt
) -> bool:
    """Between `min_words` and `max_words` words occur; "don't" is two."""
    return min_words <= len(re.findall(r"\w+", response)) <= max_words


@verifiers.register("count:words_japanese", evaluation=True)
def words_japanese(response: str, *, N: PositiveInt) -> bool:
    """Each Nth word has a Japanese or Chinese character, or is a mark or a number.

    An error kept: a response of fewer than N words passes.
    """
    nth = (word.strip(EDGES) for word in response.split()[N - 1 :: N])
    return all(not word or word.isdigit() or _JAPANESE.search(word) for word in nth)
