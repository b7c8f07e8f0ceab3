"""Instructions on case, punctuation, language and placeholders."""

from __future__ import annotations

from uniapl_cli.composing.kind import Kind, Need, constant
from uniapl_cli.composing.lexicon import LANGUAGES

STYLE = (
    Kind(
        "change_case:english_capital",
        (
            "Type as if the caps lock key were stuck: English, and capitals only.",
            "Small letters are not allowed; write English in capitals.",
            "English in upper case from the first letter to the last, please.",
        ),
        need=constant(claims=("case",)),
    ),
    Kind(
        "change_case:english_lowercase",
        (
            "Write English as if no capital letters had been invented.",
            "No capitals at all, also at the start of sentences; the language is English.",
            "English in lower case from the first letter to the last, please.",
        ),
        need=constant(claims=("case",)),
    ),
    Kind(
        "punctuation:no_comma",
        (
            "Commas are not allowed.",
            "Get by without a single comma.",
            "Build sentences that need no comma, and set none.",
        ),
        need=constant(bans=","),
    ),
    Kind(
        "punctuation:punctuation_dot",
        (
            "Full stops are not allowed, not even in abbreviations and numbers.",
            "Get by without a single full stop.",
            "The character that ends most sentences, the dot, must not be there at all.",
        ),
        need=constant(bans="."),
    ),
    Kind(
        "punctuation:punctuation_exclamation",
        (
            "Exclamation marks are not allowed.",
            "Get by without a single exclamation mark.",
            "Stay calm: no sentence, and nothing else, may have an exclamation mark.",
        ),
        need=constant(bans="!"),
    ),
    Kind(
        "language:response_language",
        (
            "Write in {language}, down to the last word.",
            "The one who reads it knows {language} and no other language, so use that alone.",
            "Language: {language} only.",
        ),
        lambda deck: {"language": deck.one(tuple(LANGUAGES))},
        names=LANGUAGES,
    ),
    Kind(
        "detectable_content:number_placeholders",
        (
            "Leave {num_placeholders} or more gaps to be filled in later, marked like [name].",
            "Placeholders in square brackets, such as [date], are needed: {num_placeholders} at "
            "the very least.",
            "Wherever something personal belongs, write a placeholder like [city]; have "
            "{num_placeholders} of them or more.",
        ),
        lambda deck: {"num_placeholders": deck.number(1, 6)},
        lambda kwargs: Need(words=2 * kwargs["num_placeholders"]),
    ),
)
