"""Long and degenerate responses: every instruction judges them in linear time."""

import time

import pytest
from ifbench_cases import CASES

from uniapl_cli.verifiers import constraint, judge

LENGTH = 1_000_000
# Ways to begin with which some instruction looks further than at the first line.
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n"
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
HOSTILE = {
    **{name: unit * (LENGTH // len(unit)) + "x" for name, unit in UNITS.items()},
    "nested brackets": "(" * 100_000 + ")" * 100_000,
    "a question behind newlines": "Question 1" + "\n" * LENGTH + "x",
    "a field of marks": PRODUCTS + '"' + "!" * 130_000 + "\n" * 14,
    "marks between tabs": "ProductID," + "\t" * LENGTH + "x",
}


# Seconds of this process; a quadratic step would take minutes.
SECONDS = 6.0


@pytest.mark.slow
@pytest.mark.usefixtures("made_up_nltk_data")
@pytest.mark.parametrize("id", CASES)
def test_a_million_characters_are_judged_at_once(id):
    instruction = [constraint(id, CASES[id].kwargs)]
    judge("x", instruction)  # loads what the instruction needs
    slow = {}
    for name, response in HOSTILE.items():
        start = time.process_time()
        judge(response, instruction, loose=False)
        if (took := time.process_time() - start) > SECONDS:
            slow[name] = took
    assert slow == {}


QUADRATIC = ("blank lines", "a question behind newlines", "a field of marks", "open brackets")


@pytest.mark.parametrize("name", QUADRATIC)
@pytest.mark.parametrize(
    "id", ["format:line_indent", "format:newline", "custom:mcq_count_length", "format:parentheses"]
)
def test_what_the_official_code_takes_minutes_for_is_judged_at_once(id, name):
    start = time.process_time()
    judge(HOSTILE[name], [constraint(id, {})], loose=False)
    assert time.process_time() - start < SECONDS
