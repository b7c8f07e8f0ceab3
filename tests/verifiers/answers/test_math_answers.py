"""answer:math: what is compared here, and what math-verify says in the sandbox."""

import json
import time
from pathlib import Path

import pytest

from uniapl_cli.errors import ConfigError
from uniapl_cli.rewards import check_examples
from uniapl_cli.sandbox import Call, Limits
from uniapl_cli.types import Example, Grade, Message
from uniapl_cli.verifiers import Case, Judge, check_packages, constraint
from uniapl_cli.verifiers.answers.math import SOURCE, math
from uniapl_cli.verifiers.registry import Trial

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is not here"),
]
# What math-verify 0.9.0 says otherwise than a person would; it is kept, and no more than that.
TOO_STRICT = {("[-2,7]", "-2\\le x\\le 7"), ("\\text{June 20}", "\\text{20 June}")}
TOO_LOOSE = {
    ("5", "5\\%"),
    ("(2,5)", "\\{2,5\\}"),
    ("\\text{Evelyn}", "e v e l y n"),
    ("2516_8", "2516_9"),
}


def boxed(answer):
    return f"so it is $\\boxed{{{answer}}}$"


@pytest.fixture(scope="module")
def judge():
    pytest.importorskip("math_verify")
    judge = Judge()
    yield judge
    judge.close()


@pytest.fixture(scope="module")
def grades(judge):
    """grades(pairs): of gold and answer, and that what is compared here is not wrong about it."""

    def all_of(pairs):
        cases = [Case(boxed(a), [constraint("answer:math", {"answer": g})]) for g, a in pairs]
        verdicts = judge(cases, loose=False)
        assert all(verdict.errors == (None,) for verdict in verdicts)
        return [verdict.grades[0] for verdict in verdicts]

    return all_of


@pytest.fixture(scope="module")
def sandboxed(judge):
    """sandboxed(pairs): whether math-verify, without what is compared before it, calls them equal.

    The texts are a gold answer and a box's.
    """

    def all_of(pairs):
        box = judge._sandbox(("math_verify",))
        return [
            outcome.value for outcome in box.run(Call(SOURCE, "equal", (*p, "")) for p in pairs)
        ]

    return all_of


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("\\frac{1}{2}", "\\frac{1}{2}", True),
        (" p - q", "p - q", True),
        ("1000", "1,000", True),
        ("1000", "1{,}000", True),
        ("1000", "1\\,000", True),
        ("11,\\! 111", "11111", True),
        ("4", "+4.0", True),
        ("4", "5", False),
        ("-4", "- 4", True),
        ("4", "- 4", False),
        ("0.0000002", "0.0000001", False),
        ("12345678901234567890", "12345678901234567891", False),
    ],
)
def test_texts_and_plain_numbers_need_no_sandbox(gold, answer, right):
    assert math(boxed(answer), answer=gold).correct is right


@pytest.mark.parametrize("response", ["4", "\\boxed{4", "\\boxed{}", boxed("1" * 301), "x" * 10**6])
def test_what_is_in_no_box_or_too_long_is_not_read(response):
    grade = math(response, answer="4")
    assert (grade.correct, grade.read) == (False, None) and grade.reason


def test_what_may_be_equal_is_a_trial_within_limits():
    trial = math(boxed("0.5"), answer="\\frac12")
    assert isinstance(trial, Trial) and trial.read == "0.5"
    assert trial.run.limits == Limits(seconds=5, cpu_seconds=5, memory_mb=1024)


def test_equal_expressions_are_right_and_others_say_what_was_read(grades):
    right = [("\\frac12", "0.5"), ("\\{1,2\\}", "2, 1"), ("x^2+2x+1", "(x+1)^2"), ("x=5", "5")]
    wrong = [("[2,5]", "(2,5)"), ("\\pi", "3.14"), ("2,3", "2"), ("\\text{even}", "odd")]
    found = grades(right + wrong)
    assert [grade.correct for grade in found] == [True] * 4 + [False] * 4
    assert [grade.read for grade in found] == [answer for _, answer in right + wrong]
    assert all(gold in grade.reason for (gold, _), grade in zip(wrong, found[4:], strict=True))


def test_what_is_no_latex_is_read_as_it_is_meant(grades):
    right = [
        *(("90^\\circ", "90°"), ("\\sqrt{2}", "√2"), ("2\\sqrt{3}", "2√3"), ("\\frac12", "½")),
        *(("(-\\infty,2)", "(-∞,2)"), ("-x", "\N{EN DASH}x"), ("x^2", "x²"), ("6x", "2·3x")),
        *(("\\sqrt{x+1}", "√(x+1)"), ("(1,2)", "（1，2）")),
    ]
    wrong = [("4", "√13"), ("3", "√13"), ("2", "x²")]
    assert [grade.correct for grade in grades(right + wrong)] == [True] * 10 + [False] * 3


def test_an_answer_of_the_row_that_cannot_be_read_says_so(grades):
    (grade,) = grades([("\\frac{", "\\frac12")])
    assert not grade.correct and grade.reason


def test_nothing_but_numerals_of_an_answer_reaches_what_sympy_evaluates(judge):
    """sympy makes a number of a numeral by `eval`. math-verify's default would have it do more."""
    watched = f"""{SOURCE}
def evaluate(answer):
    import re
    import math_verify.parser as reader, sympy.parsing.sympy_parser as parser

    seen, own = [], parser.eval_expr
    reader.parse_expr = lambda text, **kwargs: seen.append(text)
    parser.eval_expr = lambda code, *args: seen.append(code) or own(code, *args)
    equal("2", answer, "")
    return all(re.fullmatch("(Integer|Float) [(]'?[0-9.]+' ?[)]|Integer [(][0-9]+ [)]", one)
        for one in seen)
"""
    answers = [
        *(
            "} 9**9 + 1 {",
            "3 + 4 &",
            "1/2",
            "3.50",
            "1e5",
            "\\frac{ 1 + 1",
            "\\text{__import__}(1)",
        ),
        *('__import__("os").getpid()', "x^{print(1)}", "\\operatorname{eval}(1)", "x_{exit(1)}"),
    ]
    outcomes = judge._sandbox(("math_verify",)).run(Call(watched, args=(a,)) for a in answers)
    assert [outcome.value for outcome in outcomes] == [True] * len(answers)


def test_what_math_verify_cannot_read_says_so(grades):
    (grade,) = grades([("2", "3 + 4 &")])
    assert "cannot read" in grade.reason and "3 + 4 &" in grade.reason


def test_what_hangs_or_crashes_is_wrong_with_a_reason_and_the_next_call_works(judge, monkeypatch):
    """The limit itself is 5 s; it is shorter here."""
    short = Limits(seconds=1, cpu_seconds=1, memory_mb=1024)
    monkeypatch.setattr("uniapl_cli.verifiers.answers.math.LIMITS", short)
    hostile = [
        *(
            "9^{9^{9^9}}",
            "((100!)!)!",
            "\\sum_{k=1}^{10000000} \\frac{1}{k}",
            "(" * 140 + ")" * 140,
        ),
        *("1e999999", "100000!", "\\sqrt{" * 40 + "2" + "}" * 40, '__import__("os")._exit(0)'),
    ]
    for answer in hostile:
        start = time.monotonic()
        (first, second) = judge(
            [Case(boxed(one), [constraint("answer:math", {"answer": "2"})])
             for one in (answer, "\\frac{4}{2}")]
        )  # fmt: skip
        assert time.monotonic() - start < 8, answer
        assert isinstance(first.grades[0], Grade) and first.grades[0].read == answer
        assert not first.passed and first.grades[0].reason and first.errors == (None,)
        assert second.passed, answer


def test_without_the_package_rows_are_refused_before_anything_is_sampled(monkeypatch):
    monkeypatch.setattr("uniapl_cli.verifiers.packages.installed", lambda name: False)
    mathematical = constraint("answer:math", {"answer": "\\frac12"})
    example = Example("1", (Message("user", "?"),), (mathematical,))
    for refused in (
        lambda: check_packages([mathematical]),
        lambda: check_examples([example], {"constraints"}, "term 'rl'"),
        lambda: Judge()([Case(boxed("0.5"), [mathematical])]),
    ):
        with pytest.raises(ConfigError) as caught:
            refused()
        assert caught.value.got == "math_verify" and "uniapl[eval]" in caught.value.advice
    check_packages([constraint("answer:number", {"answer": "2"})])


class TestShared:
    pytestmark = shared

    def rows(self, name):
        return [json.loads(line) for line in (SHARED / name).open()]

    def test_every_answer_of_math_500_equals_itself_also_to_math_verify(self, sandboxed):
        answers = [row["answer"] for row in self.rows("math500/test.jsonl")]
        assert sum(sandboxed([(answer, answer) for answer in answers])) == 500

    def test_every_solution_of_math_500_gives_its_answer(self, judge):
        rows = self.rows("math500/test.jsonl")
        verdicts = judge(
            [
                Case(row["solution"], [constraint("answer:math", {"answer": row["answer"]})])
                for row in rows
            ]
        )
        assert sum(verdict.passed for verdict in verdicts) == 500

    def test_the_83_pairs_are_graded_as_by_math_verify_but_for_one_that_is_now_right(
        self, grades, sandboxed
    ):
        rows = self.rows("math_pairs.jsonl")
        pairs = [(row["gold"], row["answer"]) for row in rows]
        assert sandboxed(pairs) == [row["math_verify_0.9.0"] for row in rows]
        right = [grade.correct for grade in grades(pairs)]
        equal = [row["equivalent"] for row in rows]
        said = zip(pairs, right, equal, strict=True)
        assert {pair for pair, ours, truth in said if ours != truth} == TOO_STRICT | TOO_LOOSE
