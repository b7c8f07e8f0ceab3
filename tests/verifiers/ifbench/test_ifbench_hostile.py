"""Long and degenerate responses: every instruction judges them, in time that grows as they do."""

import time

import pytest
from ifbench_cases import CASES

from uniapl_cli.verifiers import constraint, judge

# What a response that loops repeats.
UNITS = {
    "letters": "a",
    "words": "a ",
    "sentences": "It is. ",
    "stops": ".",
    "interrobangs": "?! ",
    "lines": "x\n",
    "blank lines": " \n\n",
    "spaces": " ",
    "open brackets": "(",
    "quotes": "\"' ",
    "bullets": "* - \n",
    "tags": "<i>",
    "digits": "1",
    "dates": "1800-01-01,",
    "questions": "Question 1",
    "commas": ",",
    "emoji": "😀. ",
    "japanese": "猫 ",
    "names": "Emma Zimbabwe\n",
}
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n"
# By the processor of this process. A quadratic step in a million characters would take minutes.
SECONDS = 6.0


def hostile(length: int) -> dict[str, str]:
    """Responses of about that many characters."""
    return {
        **{name: unit * (length // len(unit)) + "x" for name, unit in UNITS.items()},
        "nested brackets": "(" * (length // 2) + ")" * (length // 2),
        "newlines behind a question": "Question 1" + "\n" * length + "x",
        "marks in a field": PRODUCTS + '"' + "!" * min(length, 130_000) + "\n" * 14,
        "tabs in a header": "ProductID," + "\t" * length + "x",
    }


def took(id: str, response: str) -> float:
    """Return the seconds that a verdict takes."""
    instruction = [constraint(id, CASES[id].kwargs)]
    start = time.process_time()
    judge(response, instruction, loose=False)
    return time.process_time() - start


@pytest.mark.slow
@pytest.mark.usefixtures("made_up_nltk_data")
def test_every_instruction_judges_what_loops():
    slow = {
        (id, name): seconds
        for name, response in hostile(150_000).items()
        for id in CASES
        if (seconds := took(id, response)) > SECONDS
    }
    assert slow == {}


@pytest.mark.usefixtures("made_up_nltk_data")
@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("custom:csv_special_character", "marks in a field"),
        ("custom:mcq_count_length", "newlines behind a question"),
        ("format:line_indent", "blank lines"),
        ("format:newline", "blank lines"),
        ("format:no_bullets_bullets", "lines"),
        ("format:parentheses", "nested brackets"),
        ("format:quotes", "quotes"),
        ("ratio:overlap", "letters"),
        ("ratio:stop_words", "words"),
        ("words:odd_even_syllables", "letters"),
        ("format:title_case", "interrobangs"),
        ("words:start_verb", "tags"),
    ],
)
def test_a_million_characters_are_judged(id, name):
    assert took(id, hostile(1_000_000)[name]) < SECONDS
