"""Which instructions one answer can follow, and with which arguments."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from uniapl_cli.composing.kind import Need

# Words for whatever an answer says beside what its instructions ask for.
OWN_WORDS = 8
# So much more than is needed an upper bound on words must allow.
SLACK = 1.25

# Nothing else can be asked of an answer that is given, or that must be a copy.
ALONE = frozenset(
    {
        "copy:copy",
        "copy:copying_simple",
        "copy:copying_multiple",
        "new:copy_span_idx",
        "detectable_format:constrained_response",
    }
)
_MARKS = frozenset({"punctuation:no_comma", "punctuation:punctuation_exclamation"})
_ABSENT = frozenset({"keywords:forbidden_words", "keywords:exclude_word_harder"}) | _MARKS
_PRESENT = frozenset(
    {
        "keywords:existence",
        "keywords:frequency",
        "keywords:word_count_different_numbers",
        "keywords:word_once",
        "count:count_increment_word",
    }
)
_LIGHT = _ABSENT | _PRESENT
_ONCE = frozenset({"keywords:existence", "keywords:word_once"})
_SIZED = _LIGHT | {"length_constraints:number_words"}
# Those that decide the form of a whole answer, with all that goes with each.
ONLY_WITH: Mapping[str, frozenset[str]] = {
    "detectable_format:json_format": (_LIGHT - {"punctuation:no_comma", "keywords:frequency"}),
    "detectable_format:square_brackets": _SIZED,
    "detectable_format:bigram_wrapping": _SIZED,
    "detectable_format:sentence_hyphens": _LIGHT,
    "combination:two_responses": _ABSENT | {"keywords:existence"},
    "combination:repeat_prompt": _MARKS | {"keywords:existence"},
    "count:count_unique": _ABSENT | _ONCE,
    "count:counting_composition": _ABSENT,
    "first_word:first_word_sent": _SIZED | {"length_constraints:number_sentences"},
    "last_word:last_word_sent": _SIZED | {"length_constraints:number_sentences"},
    "keywords:keyword_specific_position": _SIZED,
    "keywords:no_adjacent_consecutive": _ABSENT | _ONCE,
    "language:response_language": _MARKS
    | {
        "detectable_format:number_bullet_lists",
        "detectable_format:number_highlighted_sections",
        "detectable_format:title",
        "length_constraints:number_paragraphs",
        "paragraphs:paragraphs",
        "paragraphs:paragraphs2",
        "startend:quotation",
    },
}
_SECTIONS, _TITLE = "detectable_format:multiple_sections", "detectable_format:title"
_CASES = ("english_capital", "english_lowercase")
# Further pairs. A heading has one spelling; without full stops there are hardly sentences; blank
# lines would make a title one of the paragraphs that they part.
PAIRS: frozenset[frozenset[str]] = frozenset(
    frozenset(pair)
    for pair in (
        (_SECTIONS, "detectable_format:number_highlighted_sections"),
        *((_SECTIONS, f"change_case:{case}") for case in _CASES),
        ("copy:repeat_phrase", "change_case:english_capital"),
        ("copy:repeat_phrase", "count:lowercase_counting"),
        ("length_constraints:number_sentences", "length_constraints:number_paragraphs"),
        ("length_constraints:number_sentences", "punctuation:punctuation_dot"),
        ("keywords:frequency", "keywords:word_count_different_numbers"),
        ("letters:letter_counting", "length_constraints:number_words"),
        ("paragraphs:paragraphs2", _TITLE),
        ("length_constraints:nth_paragraph_first_word", _TITLE),
    )
)


def exclusive(one: str, other: str) -> bool:
    """Whether no row has both instructions, whatever their arguments."""
    if one == other or {one, other} & ALONE or frozenset((one, other)) in PAIRS:
        return True
    return other not in ONLY_WITH.get(one, {other}) or one not in ONLY_WITH.get(other, {one})


def companions(id: str, ids: Collection[str]) -> list[str]:
    """Return those of `ids` that a row may have beside an instruction."""
    return [other for other in ids if not exclusive(id, other)]


def satisfiable(needs: Sequence[Need]) -> bool:
    """Whether one answer can have all that these instructions, with their arguments, ask for."""
    claims = [claim for need in needs for claim in need.claims]
    if len(claims) != len(set(claims)):
        return False
    texts = " ".join(text for need in needs for text in need.texts)
    if any(mark in texts for need in needs for mark in need.bans):
        return False
    if any(_has(texts, word) for need in needs for word in need.shuns):
        return False
    return _room(needs) and _spelt(needs, texts)


def _has(texts: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", texts, re.IGNORECASE) is not None


def _room(needs: Sequence[Need]) -> bool:
    """Whether the words that are needed are no more than those that are allowed."""
    most = min((need.most for need in needs if need.most is not None), default=None)
    if most is None:
        return True
    least = max(OWN_WORDS, *(need.least for need in needs))
    return (least + sum(need.words for need in needs)) * SLACK <= most


def _spelt(needs: Sequence[Need], texts: str) -> bool:
    """Whether the texts that are asked for stay below the bounds on letters and capitals."""
    letters = {letter: count for need in needs for letter, count in need.letters.items()}
    capitals = min((need.capitals for need in needs if need.capitals is not None), default=None)
    shouted = sum(word.isupper() for word in texts.split())
    return (capitals is None or 2 * shouted < capitals) and all(
        2 * texts.lower().count(letter) < count for letter, count in letters.items()
    )
