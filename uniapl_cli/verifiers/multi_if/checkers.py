"""multi_if:*, in the place of IFEval's instructions of the same names."""

from __future__ import annotations

import re

from pydantic import NonNegativeInt

from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.multi_if.counting import sentence_count, word_count
from uniapl_cli.verifiers.patterns import occurrences
from uniapl_cli.verifiers.registry import Relation, compare, verifiers

QUOTES = (('"', '"'), ("“", "”"), ("「", "」"))


@verifiers.register("multi_if:number_sentences")
def number_sentences(response: str, *, num_sentences: NonNegativeInt, relation: Relation) -> bool:
    """The sentence count, by the response's language, is `relation` `num_sentences`."""
    return compare(sentence_count(response), relation, num_sentences)


@verifiers.register("multi_if:number_words")
def number_words(response: str, *, num_words: NonNegativeInt, relation: Relation) -> bool:
    """The word count, by the response's language, is `relation` `num_words`."""
    return compare(word_count(response), relation, num_words)


@verifiers.register("multi_if:quotation")
def quotation(response: str) -> bool:
    """The whole response stands in double quotes: straight, curly or corner brackets."""
    text = response.strip()
    return len(text) > 1 and (text[0], text[-1]) in QUOTES


@verifiers.register("multi_if:frequency")
def frequency(
    response: str, *, keyword: Text, frequency: NonNegativeInt, relation: Relation
) -> bool:
    """The keyword occurs `relation` `frequency` times; one that is no pattern is never followed."""
    try:
        re.compile(keyword.strip())
    except (re.error, OverflowError, RecursionError):
        return False
    return compare(occurrences(keyword.strip(), response), relation, frequency)
