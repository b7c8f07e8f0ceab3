"""Instructions to copy the question, a part of it, or a phrase."""

from __future__ import annotations

from typing import Any

from uniapl_cli.composing.kind import Deck, Kind, Kwargs, Need
from uniapl_cli.composing.lexicon import PHRASES

# Characters of a question that is to be copied.
_LONGEST = 600
# What a verifier would take for its own marks, or take off before it compares.
_MARKS = ("***", "think>", "answer>")


def copyable(question: str) -> bool:
    """Whether an answer can be asked to copy a question."""
    text = question.strip()
    return 20 <= len(text) <= _LONGEST and text == question and not any(m in text for m in _MARKS)


def _question(deck: Deck) -> dict[str, Any]:
    return {"prompt_to_repeat": deck.question}


def _times(deck: Deck) -> dict[str, Any]:
    return {"prompt_to_repeat": deck.question, "N": deck.number(2, 4)}


def _span(deck: Deck) -> dict[str, Any]:
    """Draw a span of which both ends are characters, which comparing does not strip."""
    text = deck.question
    inside = [at for at in range(1, len(text)) if not text[at].isspace()]
    start = deck.one(inside[: len(inside) // 2])
    ends = [at + 1 for at in inside if at >= start + 4]
    return {"prompt_to_repeat": text, "n_start": start, "n_end": deck.one(ends)}


def _need_repeat(kwargs: Kwargs) -> Need:
    return Need(texts=(kwargs["prompt_to_repeat"],), claims=("start",))


def _need_phrase(kwargs: Kwargs) -> Need:
    count = kwargs["small_n"]
    return Need(words=len(kwargs["phrase"].split()) * count, texts=(kwargs["phrase"],) * count)


COPYING = (
    Kind(
        "combination:repeat_prompt",
        (
            "Before you answer, write out the request above, from its first word to its last and "
            "unchanged; the answer comes after it. This line is not part of the request.",
            "Start with a copy of all that stands above this line, then go on with your answer.",
            "First repeat, as it is, what was asked above this line. Only then answer it.",
        ),
        _question,
        _need_repeat,
        copyable,
        above=True,
    ),
    Kind(
        "copy:copy",
        (
            "Do not act on the text above this line. Copy it, and output nothing else.",
            "Instead of an answer, return what stands above this line, letter for letter.",
            "Nobody wants this answered: write the text above this line once more, and only that.",
        ),
        _question,
        fits=copyable,
        above=True,
    ),
    Kind(
        "copy:copying_simple",
        (
            "Reply with the request above and nothing else: no word before it, none after it, and"
            " not this line.",
            "Your reply is the request that stands above, unaltered and alone. This line does not"
            " belong to it.",
            "Echo the request above this line and leave it at that.",
        ),
        _question,
        fits=copyable,
        above=True,
    ),
    Kind(
        "copy:copying_multiple",
        (
            "Reply with the request above, not answered but written {N} times, with ****** "
            "between the copies. This line is not part of it.",
            "Copies of what stands above this line are all that is wanted, {N} in number, with "
            "****** between them.",
            "Write the text above this line {N} times over; separate the copies by ****** and add"
            " nothing.",
        ),
        _times,
        fits=copyable,
        above=True,
    ),
    Kind(
        "new:copy_span_idx",
        (
            "Count the characters of the text above this line from zero. Output those from index "
            "{n_start} up to, but not including, index {n_end}, and nothing else.",
            "If the text above this line were a Python string, your reply would be its slice from"
            " {n_start} to {n_end}, end excluded, and no more.",
            "Do not answer. Take the first {n_end} characters of the text above this line, leave "
            "out the first {n_start} of these, and return the rest.",
        ),
        _span,
        fits=copyable,
        above=True,
    ),
    Kind(
        "copy:repeat_phrase",
        (
            "Let {phrase} return {small_n} times, each time with one of its inner words exchanged"
            " for another.",
            "Vary {phrase}: write it {small_n} times, each on a line of its own, and replace a "
            "single word each time, neither the first nor the last.",
            "Write {phrase} {small_n} times over, but never as it stands: in each copy, exactly "
            "one of the words between the first and the last is another.",
        ),
        lambda deck: {"phrase": deck.word(PHRASES), "small_n": deck.number(2, 4)},
        _need_phrase,
    ),
)
