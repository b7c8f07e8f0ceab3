"""Instructions on which words occur, and where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from uniapl_cli.composing.kind import Deck, Kind, Kwargs, Need, constant
from uniapl_cli.composing.lexicon import FORBIDDEN, KEYWORDS

# Of the question, what can be left out: a word of its own, in small letters.
_CONTENT = re.compile(r"(?<![\w'-])[a-z]{5,14}(?![\w'-])")
# Words that few answers could do without.
_STRUCTURE = """
    about above after again along among could every first might other shall should since still
    their there these thing things those three under until where which while whole whose would
    write words below before between through without being because answer explain describe
"""
_KEPT = frozenset(_STRUCTURE.split())
_LEAST, _LESS = range(2, 6), range(2, 5)


def _some(name: str, pool: Sequence[str]) -> Any:
    return lambda deck: {name: deck.words(pool, deck.number(1, 3))}


def _often(deck: Deck) -> dict[str, Any]:
    keyword = {"keyword": deck.word(KEYWORDS)}
    return keyword | deck.bound("frequency", "relation", _LEAST, _LESS)


def _need_often(kwargs: Kwargs) -> Need:
    count = kwargs["frequency"] if kwargs["relation"] == "at least" else 0
    return Need(words=2 * count, texts=(kwargs["keyword"],) * count)


def _position(deck: Deck) -> dict[str, Any]:
    return {"keyword": deck.word(KEYWORDS), "n": deck.number(1, 4), "m": deck.number(2, 7)}


def _increment(deck: Deck) -> dict[str, Any]:
    return dict(zip(("keyword1", "keyword2"), deck.words(KEYWORDS, 2), strict=True))


def own_words(question: str) -> list[str]:
    """Return the words of a question that an answer can be asked to do without."""
    found = dict.fromkeys(_CONTENT.findall(question))
    return [word for word in found if word not in _KEPT]


WORDS = (
    Kind(
        "keywords:existence",
        (
            "Work {keywords} into what you write.",
            "What you write has to mention {keywords}.",
            "Find a place in the text for {keywords}.",
        ),
        _some("keywords", KEYWORDS),
        lambda kwargs: Need(words=2 * len(kwargs["keywords"]), texts=tuple(kwargs["keywords"])),
    ),
    Kind(
        "keywords:frequency",
        (
            "Use the word {keyword} {bound} times in all.",
            "Anyone who counts the word {keyword} in your text should find it {bound} times.",
            "How often you say {keyword} matters: {bound} times.",
        ),
        _often,
        _need_often,
    ),
    Kind(
        "keywords:word_count_different_numbers",
        (
            "Write {keyword}, wherever it suits, {bound} times.",
            "The number of times that {keyword} is used has to be {bound}.",
            "Counted over the whole text, {keyword} has to occur {bound} times.",
        ),
        _often,
        _need_often,
    ),
    Kind(
        "keywords:forbidden_words",
        (
            "Keep {forbidden_words} out of your text.",
            "Off limits in your text: {forbidden_words}.",
            "Steer clear of {forbidden_words} from beginning to end.",
        ),
        _some("forbidden_words", FORBIDDEN),
        lambda kwargs: Need(shuns=tuple(kwargs["forbidden_words"])),
    ),
    Kind(
        "keywords:exclude_word_harder",
        (
            "Manage without the word {keyword}, although the request has it.",
            "The request says {keyword}; your text must not.",
            "Find other terms for {keyword}: that word itself is taboo.",
        ),
        lambda deck: {"keyword": deck.one(own_words(deck.question))},
        lambda kwargs: Need(shuns=(kwargs["keyword"],)),
        fits=lambda question: bool(own_words(question)),
    ),
    Kind(
        "keywords:word_once",
        (
            "Say {keyword} a single time, no more and no less.",
            "There must be one {keyword} in the text, and no second one.",
            "Mention {keyword} once and never come back to it.",
        ),
        lambda deck: {"keyword": deck.word(KEYWORDS)},
        lambda kwargs: Need(words=2, texts=(kwargs["keyword"],)),
    ),
    Kind(
        "count:count_increment_word",
        (
            "Say {keyword1} once and {keyword2} twice, no more often than that.",
            "Your text needs {keyword1} exactly once, and {keyword2} exactly twice.",
            "Mention {keyword1} a single time, but {keyword2} on two occasions.",
        ),
        _increment,
        lambda kwargs: Need(
            words=6, texts=(kwargs["keyword1"], kwargs["keyword2"], kwargs["keyword2"])
        ),
    ),
    Kind(
        "keywords:keyword_specific_position",
        (
            "Take care that sentence {n} has {keyword}, in small letters, as its word number {m},"
            " with no punctuation before it in that sentence.",
            "In sentence number {n} the word at place {m} must be {keyword}, written just so; a "
            "comma before it would count as a word.",
            "Make {keyword}, without a capital, word number {m} of sentence {n}, and put no "
            "punctuation before it there.",
        ),
        _position,
        lambda kwargs: Need(words=8 * kwargs["n"], texts=(kwargs["keyword"],)),
    ),
    Kind(
        "keywords:palindrome",
        (
            "Use a palindrome, a word that reads the same backwards, and attach no mark of "
            "punctuation to it.",
            "Hide in the text a word that is spelt the same forwards and backwards, with a space "
            "before it and after it.",
            "One of your words should be a palindrome, with blank space on both of its sides.",
        ),
        need=constant(words=1),
    ),
    Kind(
        "keywords:no_adjacent_consecutive",
        (
            "No word may start with the letter that comes right after, in the alphabet, the one "
            "that the word before it starts with, as b comes after a.",
            "Wherever a word starts with some letter, the word after it may not start with the "
            "letter that comes next in the alphabet.",
            "Choose words so that first letters never step up by one from word to word, like d "
            "then e.",
        ),
    ),
)
