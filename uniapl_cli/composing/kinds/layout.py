"""Instructions on paragraphs, lists, sections and other forms of a whole text."""

from __future__ import annotations

import re
from typing import Any

from uniapl_cli.composing.kind import Deck, Kind, Kwargs, Need, constant
from uniapl_cli.composing.lexicon import FIRST_WORDS, SPLITTERS

_WORDS_A_PART = 5
# A question that ends so asks whether, not what.
_YES_OR_NO = re.compile(
    r"(?:^|[.!?]\s+)(?:Am|Are|Can|Could|Did|Do|Does|Had|Has|Have|Is|May|Might|Must|Should|Was|Were|"
    r"Will|Would)\s[^.!?]*\?\s*$"
)


def _nth(deck: Deck) -> dict[str, Any]:
    count = deck.number(2, 5)
    nth, word = deck.number(1, count), deck.word(FIRST_WORDS)
    return {"num_paragraphs": count, "nth_paragraph": nth, "first_word": word}


def _need_nth(kwargs: Kwargs) -> Need:
    claims = ("paragraphs", "start") if kwargs["nth_paragraph"] == 1 else ("paragraphs",)
    words = _WORDS_A_PART * kwargs["num_paragraphs"]
    return Need(words=words, texts=(kwargs["first_word"],), claims=claims)


def _parts(name: str, *claims: str) -> Any:
    return lambda kwargs: Need(words=_WORDS_A_PART * kwargs[name], claims=claims)


def _need_sections(kwargs: Kwargs) -> Need:
    count = kwargs["num_sections"]
    return Need(words=(_WORDS_A_PART + 2) * count, texts=(kwargs["section_spliter"],) * count)


LAYOUT = (
    Kind(
        "length_constraints:number_paragraphs",
        (
            "Split the text into {num_paragraphs} paragraphs and put *** between them.",
            "Let the text have {num_paragraphs} paragraphs, each parted from the next by a line "
            "of ***.",
            "Paragraphs: {num_paragraphs}, with the divider *** from each to the next.",
        ),
        lambda deck: {"num_paragraphs": deck.number(2, 6)},
        _parts("num_paragraphs", "paragraphs"),
    ),
    Kind(
        "length_constraints:nth_paragraph_first_word",
        (
            "Leave a blank line between paragraphs, of which there are {num_paragraphs}; number "
            "{nth_paragraph} opens with {first_word}.",
            "Paragraphs: {num_paragraphs}, with an empty line from each to the next. First word of "
            "paragraph {nth_paragraph}: {first_word}.",
            "Let {first_word} open paragraph {nth_paragraph} of a text of {num_paragraphs} "
            "paragraphs, which blank lines keep apart.",
        ),
        _nth,
        _need_nth,
    ),
    Kind(
        "paragraphs:paragraphs",
        (
            "Write two paragraphs, with *** between them.",
            "A pair of paragraphs is wanted, with *** to part them.",
            "Write one paragraph, then ***, then another one, and stop there.",
        ),
        need=constant(words=2 * _WORDS_A_PART, claims=("paragraphs",)),
    ),
    Kind(
        "paragraphs:paragraphs2",
        (
            "Write two paragraphs, with an empty line between them and no other empty line.",
            "A pair of paragraphs is wanted; one blank line parts them, and there is no other.",
            "Write one paragraph, leave a single line blank, write another one, and stop there.",
        ),
        need=constant(words=2 * _WORDS_A_PART, claims=("paragraphs",)),
    ),
    Kind(
        "detectable_format:number_bullet_lists",
        (
            "Include a list of {num_bullets} bullet points that start with *, no more and no less.",
            "Bullets, each on a line that begins with an asterisk: precisely {num_bullets}.",
            "Somewhere, set things out in {num_bullets} bullets (each with * in front) and use no"
            " others.",
        ),
        lambda deck: {"num_bullets": deck.number(2, 7)},
        _parts("num_bullets"),
    ),
    Kind(
        "detectable_format:number_highlighted_sections",
        (
            "Set off {num_highlights} or more phrases by asterisks, *like this*.",
            "Emphasise phrases in markdown, as *these words* are; {num_highlights} is the minimum.",
            "Put an asterisk on either side of phrases that matter, *so*: {num_highlights} of "
            "them or more.",
        ),
        lambda deck: {"num_highlights": deck.number(1, 5)},
        lambda kwargs: Need(words=3 * kwargs["num_highlights"]),
    ),
    Kind(
        "detectable_format:multiple_sections",
        (
            "Divide the text into {num_sections} sections, each under a heading of "
            "{section_spliter} and its number.",
            "Structure: {num_sections} sections. Every one is headed {section_spliter}, followed "
            "by a space and a running number.",
            "Use {section_spliter} with a number after it as the heading of a section, and write "
            "{num_sections} of these sections.",
        ),
        lambda deck: {
            "section_spliter": deck.one(SPLITTERS),
            "num_sections": deck.number(2, 5),
        },
        _need_sections,
    ),
    Kind(
        "detectable_format:title",
        (
            "Give the text a title, set in double angle brackets like <<this>>.",
            "Begin with a title between << and >>.",
            "Find a fitting title and write it as <<title of your own>>.",
        ),
        need=constant(words=3, claims=("start",)),
    ),
    Kind(
        "detectable_format:json_format",
        (
            "Output JSON and nothing around it.",
            "All of your text must parse as one JSON value.",
            "Put what you have to say into a JSON object, without a word outside.",
        ),
    ),
    Kind(
        "detectable_format:sentence_hyphens",
        (
            "Connect the sentences by single hyphens, without any space, and use no hyphen "
            "elsewhere.",
            "Between one sentence and the next put a hyphen instead of a space; no word may have "
            "one.",
            "Write sentence after sentence with only a hyphen in between, used nowhere else.",
        ),
    ),
    Kind(
        "detectable_format:square_brackets",
        (
            "Put [each] [word] of the text into square brackets of its own, with its punctuation.",
            "Square brackets go around every single word, marks of punctuation inside.",
            "Word by word, wrap the text in brackets, [like] [so.]",
        ),
    ),
    Kind(
        "detectable_format:bigram_wrapping",
        (
            "Take the words of the text two by two and wrap each pair, <<as here>> <<is done.>>",
            "Double angle brackets go around each pair of words, <<one two>> <<three four.>>",
            "Enclose the words of the text in pairs, <<like these>> <<few words.>>",
        ),
    ),
    Kind(
        "detectable_format:constrained_response",
        (
            'Say "My answer is maybe." if you are in doubt, "My answer is yes." if you agree, and'
            ' "My answer is no." otherwise, in these very words.',
            'A verdict has to be part of your text, spelt exactly so: either "My answer is no." '
            'or else "My answer is yes." or, failing both, "My answer is maybe."',
            'Your text must have one of these sentences, unchanged: "My answer is yes." (if you '
            'agree), "My answer is no." (if you do not) or "My answer is maybe."',
        ),
        fits=lambda question: _YES_OR_NO.search(question) is not None,
    ),
    Kind(
        "combination:two_responses",
        (
            "Answer twice, in different ways, and put ****** in between.",
            "I want to choose: write a first version, then ******, then another version.",
            "Two versions that differ are needed, with a line of six asterisks, ******, between "
            "the first and the second and nowhere else.",
        ),
        need=constant(claims=("paragraphs",)),
    ),
)
