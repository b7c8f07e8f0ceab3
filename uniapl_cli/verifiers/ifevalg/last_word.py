"""last_word:* of IFEvalG: what the response, or each of its sentences, ends with."""

from __future__ import annotations

import re

from uniapl_cli.verifiers.ifevalg.sentences import sentences_by_rule
from uniapl_cli.verifiers.kwargs import Text, TextOrTexts, first_text
from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("last_word:last_word_sent", unwrap=True)
def last_word_sent(response: str, *, last_word: TextOrTexts) -> bool:
    """Each sentence ends with the word, in any case, punctuation aside."""
    return all(_ends(text, first_text(last_word)) for text in sentences_by_rule(response))


@verifiers.register("last_word:last_word_answer", unwrap=True)
def last_word_answer(response: str, *, last_word: Text) -> bool:
    """The response ends with the word, in any case, punctuation aside."""
    return _ends(response, last_word.strip())


def _ends(text: str, word: str) -> bool:
    own = text.split()
    return bool(own) and re.sub(r"[^\w\s]", "", own[-1]).lower() == word.lower()
