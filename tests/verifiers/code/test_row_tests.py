"""code:tests: MBPP's assertions on answers of every shape."""

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import constraint
from uniapl_cli.verifiers.code.tests import called

CODE = "def double(x):\n    return 2 * x"


@pytest.mark.parametrize(
    "response",
    [
        CODE,
        f"```python\n{CODE}\n```",
        f"```python\n{CODE}",
        f"Try it:\n```python\nprint(double(1))\n```\n```python\n{CODE}\n```",
        f"[BEGIN]\n{CODE}\n[DONE]\nNext task",
        f"{CODE}\n[DONE]",
        f"[BEGIN]\n```python\n{CODE}\n```\n[DONE]",
        f"```python\n{CODE}\nassert double(1) == 2\nif __name__ == '__main__': input()\n```",
        "```python\nfrom __future__ import annotations\ndouble = lambda x: 2 * x\n```",
    ],
)
def test_a_right_answer_is_right_in_whatever_shape(grades, double, response):
    (grade,) = grades(double, response)
    assert grade.correct, grade.reason


def test_the_first_test_that_fails_is_the_reason(grades, double):
    wrong, half, own, none = grades(
        double,
        "def double(x): return x",
        "def double(x): return 4",
        f"```\n{CODE}\nassert double(1) == 3\n```",
        "I do not know.",
    )
    assert wrong.reason == "assert double(2) == 4" and half.reason == "assert double(0) == 0"
    assert own.reason == "assert double(1) == 3"
    assert (none.read, none.correct) == (None, False) and none.reason


def test_imports_come_before_the_code_and_setup_behind_it(grades):
    check = constraint(
        "code:tests",
        {
            "tests": ["assert math.isclose(size(box), 2.0)"],
            "setup": "box = Box(2)",
            "imports": ["import math"],
        },
    )
    code = "assert math\nclass Box:\n    def __init__(self, n): self.n = n\ndef size(b): return b.n"
    (grade,) = grades(check, f"```\n{code}\n```")
    assert grade.correct, grade.reason


@pytest.mark.parametrize(
    ("test", "names"),
    [
        ("assert f(1) == 2", {"f"}),
        ("assert set(f((1, 2))) == set((1,))", {"f"}),
        ("assert not (f(1))", {"f"}),
        ("assert math.isclose(f(1), 2)", {"f"}),
        ("assert longest(Pair(1, 2)) == 1", {"longest", "Pair"}),
        ("assert sum(10, 15) == 6", {"sum"}),
        ("x = 1", set()),
    ],
)
def test_what_a_test_calls(test, names):
    assert called(test) == names


@pytest.mark.parametrize("tests", [[], [""], "assert f()", None, [1]])
def test_tests_are_a_list_of_texts(tests):
    with pytest.raises(DataError) as caught:
        constraint("code:tests", {"tests": tests}, "a.jsonl:1")
    assert (caught.value.key, caught.value.where) == ("tests", "a.jsonl:1")
