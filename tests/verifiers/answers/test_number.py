"""answer:number: which number of a response is its answer, and whether it is the right one."""

import json
import re
import time
from pathlib import Path

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import constraint
from uniapl_cli.verifiers.answers.number import number

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "gsm8k"
shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data/gsm8k is not here"),
]


@pytest.mark.parametrize(
    ("response", "read"),
    [
        ("so \\boxed{18}. Of 7 more", "18"),
        ("\\boxed{17} no, \\boxed{\\$1{,}018.00}", "1018.00"),
        ("\\boxed{18\\%}", "18"),
        ("\\boxed{18 \\text{ dollars}}", "18"),
        ("\\boxed{x = 3 + 15 = 18}", "18"),
        ("\\boxed{5 \\text{ m}^2}", "5"),
        ("\\boxed{ -3. }", "-3"),
        ("\\boxed{- 3}", "-3"),
        ("\\boxed{1,00,000 rupees}", "100000"),
        ("\\boxed{x = - \\$3 \\text{ in all}}", "-3"),
        ("\\boxed{\N{EN DASH}3}", "-3"),
        ("\\boxed{\\textbf{18}}", "18"),
        ("\\boxed{\\text{18 apples}}", "18"),
        ("within \\boxed{}? I count 18", "18"),
        ("\\boxed{18}, in a \\boxed{} as asked", "18"),
        ("#### 1. Count\nThere are 7.\n#### 2. **Add**\n18 in all", "18"),
        ("#### 12: Count\n#### 18.", "18"),
        ("#### 1,234 and then 5", "1234"),
        ("#### $-12.50", "-12.50"),
        ("that makes $29.00.", "29.00"),
        ("from 3 to 12,000", "12000"),
        ("\\(80{,}000 - 10{,}000 = 70{,}000\\)", "70000"),
        ("$1\\,250\\,000.50$", "1250000.50"),
        ("11,\\!111 or so", "11111"),
        ("#### 70{,}000", "70000"),
        ("\\boxed{25\\ cm^2}", "25"),
        ("\\boxed{25 m^{3}}", "25"),
        ("\\boxed{25\\,000\\text{ km}}", "25000"),
        ("20-5", "5"),
        ("x=-5", "-5"),
        ("it is \N{MINUS SIGN}5.", "-5"),
        ("**18**", "18"),
        ("half: .5", "0.5"),
    ],
)
def test_what_is_read(response, read):
    grade = number(response, answer="424242")
    assert (grade.correct, grade.read) == (False, read)
    assert number(response, answer=read).correct


@pytest.mark.parametrize(
    "response",
    [
        *("no digits", "\\boxed{}", "\\boxed{\\frac{1}{2}}", "\\boxed{between 3 and 4}"),
        *("\\boxed{1,5}", "\\boxed{12,34 €}", "\\boxed{1,0000}"),
        *("\\boxed{\\sqrt{4}}", "\\boxed{4\\pi}", "\\boxed{\\text{4 and 5}}"),
        *("9" * 10**6, f"\\boxed{{{'9' * 301}}}", "#### none"),
    ],
)
def test_what_is_not_one_number_is_not_read(response):
    grade = number(response, answer="4")
    assert (grade.correct, grade.read) == (False, None) and grade.reason


@pytest.mark.parametrize(
    ("written", "answer"),
    [("18.0", "18"), ("018", "18"), ("1,000", "1000"), ("1000", "1,000"), ("+4", "4")],
)
def test_equal_numbers_are_equal_however_they_are_written(written, answer):
    assert number(f"\\boxed{{{written}}}", answer=answer).correct


def test_numbers_beyond_floats_differ_by_one():
    assert not number(f"#### {10**30}", answer=str(10**30 + 1)).correct


@pytest.mark.parametrize("answer", ["", "four", "1/2", "\\frac{1}{2}"])
def test_an_answer_that_is_no_number_is_refused_when_the_row_is_read(answer):
    with pytest.raises(DataError) as caught:
        constraint("answer:number", {"answer": answer}, "a.jsonl:3")
    assert (caught.value.where, caught.value.key) == ("a.jsonl:3", "answer")


@pytest.mark.parametrize(
    "response",
    [
        "-" * 10**6,
        "#### " * 200_000,
        "####" + " " * 10**6,
        "1," * 500_000,
        "$" * 10**6 + "5",
        "####" + "$" * 10**6 + "x",
    ],
)
def test_a_megabyte_takes_no_second(response):
    start = time.process_time()
    number(response, answer="2")
    assert time.process_time() - start < 1


class TestShared:
    pytestmark = shared

    def test_the_answers_of_gsm8k_are_read_out_of_its_solutions(self):
        texts = [json.loads(row)["answer"] for row in (SHARED / "test.jsonl").open()]
        assert len(texts) == 1319
        assert all(number(text, answer=text.rpartition("#### ")[2]).correct for text in texts)

    def test_openai_s_solutions_are_graded_as_openai_graded_them(self):
        """With `A:` read as `####`; four solutions a row."""
        agreed = []
        for line in (SHARED / "example_model_solutions.first200.jsonl").open():
            row = json.loads(line)
            answer = row["ground_truth"].rpartition("A: ")[2]
            for one in (value for value in row.values() if isinstance(value, dict)):
                text = re.sub("^A: ", "#### ", one["solution"], flags=re.MULTILINE)
                agreed.append(number(text, answer=answer).correct == one["is_correct"])
        assert (sum(agreed), len(agreed)) == (800, 800)
