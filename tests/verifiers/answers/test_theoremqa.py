"""answer:theoremqa: the rule of TheoremQA's authors, and where it is another here."""

import json
import time
from pathlib import Path

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import constraint
from uniapl_cli.verifiers.answers.arithmetic import value
from uniapl_cli.verifiers.answers.theoremqa import theoremqa

SAMPLE = Path(__file__).parents[3].parent / "shared/data/theoremqa/model_outputs_sample.part1.jsonl"
# What the official grader calls right of the sample, run with latex2sympy2 1.9.1.
OFFICIAL = [8, 16, 22, 23, 27, 32, 33, 49, 54, 56, 57, 58, 63, 65, 66, 69, 70, 74]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("so x = 3.\nThe answer is 42", 42),
        ("The answer is 41.6", 42),
        ("The answer is: 1.03", 1.0),
        ("The answer is 22.36 V.", 22.4),
        ("The answer is $\\frac{1}{250}$", 0.004),
        ("The answer is x = \\frac{\\pi}{2}", 1.57),
        ("The answer is 362,880", 362880),
        ("The answer is 2^{10} - 4!", 1000),
        ("The answer is 25%", 0.25),
        ("The answer is \\sqrt[3]{27}", 3),
        ("no trigger, but 7 and then 12", False),
        ("at last, 7 or 12", 12),
        ("the answer is yes", True),
        ("The answer is (b) red", "(b)"),
        ("The answer is [1,1]", [1, 1]),
        ("The answer is (2, 1.01)", [1.0, 2.0]),
        ("The answer is 3, 4", [3, 4]),
        ("The answer is **42**.", 42),
        ("**The answer is 42.**", 42),
        ("The answer is $\\boxed{42}$.", 42),
        ("The answer is \\boxed{x = 42}.\nIndeed, 6 = 6", 42),
        ("The answer is approximately 42.", 42),
        ("The answer is x ≈ `42`.", 42),
        ("The answer is 42\\,\\text{m/s}^2.", 42),
        ("The answer is 4.2 × 10¹.", 42),
        ("The answer is 4.2×10⁻³ m.", 0.0042),
        ("The answer is 3√16", 12),
        ("The answer is $\\boxed{(2, 1)}$.", [1, 2]),
        ("The answer is 12\n\nProblem: more\nThe answer is 13", 12),
    ],
)
def test_right_answers(response, answer):
    assert theoremqa(response, answer=answer).correct


@pytest.mark.parametrize(
    ("response", "answer", "read"),
    [
        ("The answer is 43", 42, "43"),
        ("The answer is 1.05", 1.0, "1.05"),
        ("The answer is not known", True, "False"),
        ("The answer is no", 0, "False"),
        ("The answer is True", 1, "True"),
        ("The answer is (c)", "(b)", "(c)"),
        ("The answer is [2, 1]", [1, 2], "[2, 1]"),
        ("The answer is (1, 2, 3)", [1, 2], "(1, 2, 3)"),
        ("The answer is infinity", 3, None),
        ("The answer is 0.1 and 0.125", 0.1, None),
        ("The answer is 12kg", 12, None),
        ("The answer is red", "(b)", None),
        ("The answer is __import__('os').getpid()", 1, None),
        ("The answer is (-8)^(1/3)", -2, None),
        ("The answer is 9**9**9**9", 2, None),
        ("The answer is " + "(" * 10**5 + "1", 1, None),
        ("The answer is 1/0", 0, None),
    ],
)
def test_wrong_answers_and_what_is_read_of_them(response, answer, read):
    grade = theoremqa(response, answer=answer)
    assert (grade.correct, grade.read) == (False, read) and grade.reason


@pytest.mark.parametrize("answer", ["(g)", "seven", None, {"a": 1}])
def test_an_answer_of_another_kind_is_refused_when_the_row_is_read(answer):
    with pytest.raises(DataError) as caught:
        constraint("answer:theoremqa", {"answer": answer})
    assert caught.value.key == "answer"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2 + 3*4", 14),
        ("-2^2", -4),
        ("2^3^2", 512),
        ("2(3)(4)", 24),
        ("6/2/3", 1),
        ("3 - ", None),
        ("1e3", 1000),
        ("sqrt(16) + exp(0)", 5),
        ("2 pi", 6.28),
        ("170!!", None),
        ("((1)", None),
        ("1 2", None),
        ("", None),
    ],
)
def test_arithmetic(text, number):
    assert value(text) == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    "response",
    [
        *("The answer is " * 70_000, "The answer is " + "=" * 10**6, "The answer is\n" * 70_000),
        *("The answer is " + "1," * 10**5, "9" * 10**6, "The answer is 10" + " " * 10**6 + "x"),
    ],
)
@pytest.mark.parametrize("answer", [2, [1, 2]])
def test_a_megabyte_takes_no_second(response, answer):
    start = time.process_time()
    assert not theoremqa(response, answer=answer).correct
    assert time.process_time() - start < 1


@pytest.mark.shared
@pytest.mark.skipif(not SAMPLE.is_file(), reason="shared/data/theoremqa is not here")
def test_the_authors_sample_is_graded_as_by_their_code():
    right = []
    for index, line in enumerate(SAMPLE.open()):
        row = json.loads(line)
        text, answer = row["correct"]
        answer = {"True": True, "False": False}.get(text, text) if answer is None else answer
        right += [index] if theoremqa(row["solution"], answer=answer).correct else []
    assert index == 79 and right == OFFICIAL
