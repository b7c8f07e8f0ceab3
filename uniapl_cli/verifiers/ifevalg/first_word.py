"""first_word:* of IFEvalG: what the response, or each of its sentences, starts with."""

from __future__ import annotations

from uniapl_cli.verifiers.ifevalg.sentences import sentences_by_rule
from uniapl_cli.verifiers.kwargs import Text, TextOrTexts, first_text
from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("first_word:first_word_sent", unwrap=True)
def first_word_sent(response: str, *, first_word: TextOrTexts) -> bool:
    """Each sentence starts with the word, in any case, with no punctuation attached."""
    return all(_starts(text, first_text(first_word)) for text in sentences_by_rule(response))


@verifiers.register("first_word:first_word_answer", unwrap=True)
def first_word_answer(response: str, *, first_word: Text) -> bool:
    """The response starts with the word, in any case, with no punctuation attached."""
    return _starts(response, first_word.strip())


def _starts(text: str, word: str) -> bool:
    own = text.split()
    return bool(own) and own[0].lower() == word.lower()
