"""change_case:* of IFEval: capital and lower-case letters."""

from __future__ import annotations

from pydantic import NonNegativeInt

from uniapl_cli.verifiers.language import is_in
from uniapl_cli.verifiers.registry import Relation, compare, verifiers
from uniapl_cli.verifiers.text import words


@verifiers.register("change_case:capital_word_frequency")
def capital_word_frequency(
    response: str, *, capital_frequency: NonNegativeInt, capital_relation: Relation
) -> bool:
    """Words in all capitals, "I" and "A" too, are `capital_relation` `capital_frequency`."""
    count = sum(word.isupper() for word in words(response))
    return compare(count, capital_relation, capital_frequency)


@verifiers.register("change_case:english_capital")
def english_capital(response: str) -> bool:
    """The response is English, in capital letters only."""
    return response.isupper() and is_in(response, "en")


@verifiers.register("change_case:english_lowercase")
def english_lowercase(response: str) -> bool:
    """The response is English, in lower-case letters only."""
    return response.islower() and is_in(response, "en")
