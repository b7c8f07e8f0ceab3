"""nltk's English stop words."""

from __future__ import annotations

from functools import cache

from uniapl_cli.verifiers import nltk_data

NAME = "corpora/stopwords/english"


@cache
def stopwords() -> frozenset[str]:
    """Return the stop words; none if nltk's list is not here."""
    file = nltk_data.find(NAME)
    return frozenset() if file is None else frozenset(file.read_text("utf-8").split())
