"""The words that instructions name: none is counted within another text."""

import itertools
import re

from made_answers import DISTINCT, FILLER

from uniapl_cli.composing.lexicon import (
    CLOSINGS,
    FIRST_WORDS,
    FORBIDDEN,
    KEYWORDS,
    LANGUAGES,
    LAST_WORDS,
    PHRASES,
    SPLITTERS,
)
from uniapl_cli.composing.topics import TASKS, TOPICS
from uniapl_cli.verifiers.language import languages

TEXTS = [*FIRST_WORDS, *LAST_WORDS, *CLOSINGS, *PHRASES, *SPLITTERS, "this", "city", "name", "date"]


def test_no_keyword_is_part_of_another_text():
    for one, other in itertools.permutations(KEYWORDS, 2):
        assert one not in other
    texts = " ".join([*TEXTS, *FORBIDDEN, *FILLER, DISTINCT]).lower()
    assert [word for word in KEYWORDS if word in texts] == []


def test_no_forbidden_word_is_asked_for():
    words = set(re.findall(r"\w+", " ".join([*TEXTS, *KEYWORDS, *FILLER]).lower()))
    assert set(FORBIDDEN) & words == set()


def test_a_phrase_begins_and_ends_with_words_of_its_own():
    for phrase in PHRASES:
        first, *inner, last = phrase.split()
        others = [text for text in [*TEXTS, *KEYWORDS, *FILLER] if text != phrase]
        assert len(inner) >= 3
        assert not any(re.search(rf"\b{end}\b", " ".join(others)) for end in (first, last))


def test_nothing_is_named_twice():
    for pool in (KEYWORDS, FORBIDDEN, FIRST_WORDS, LAST_WORDS, CLOSINGS, PHRASES, SPLITTERS):
        assert len(set(pool)) == len(pool)
    assert len(KEYWORDS) >= 150


def test_languages_are_langdetects():
    assert set(LANGUAGES) <= languages()
    assert len(set(LANGUAGES.values())) == len(LANGUAGES)


def test_topics_are_hundreds():
    topics = [topic for sort in TOPICS.values() for topic in sort]
    assert len(topics) == len(set(topics)) >= 300
    assert TOPICS.keys() == TASKS.keys()
    for tasks in TASKS.values():
        assert sum(task.endswith("?") for task in tasks) >= 2
        assert all(task.count("{}") == 1 for task in tasks)
