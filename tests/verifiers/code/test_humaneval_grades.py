"""code:humaneval on answers of every shape."""

import pytest
from halves_task import PROMPT

from uniapl_cli.errors import DataError
from uniapl_cli.types import Grade
from uniapl_cli.verifiers import Case, constraint

BODY = "    return [half(x) for x in xs]\n"
LOOP = "    found = []\n    for x in xs:\n        found.append(half(x))\n    return found"
WHOLE = f"def halves(xs: List[int]) -> List[int]:\n{BODY}"


def fenced(code):
    return f"Sure!\n```python\n{code}\n```\nIt halves."


@pytest.mark.parametrize(
    "response",
    [
        BODY,
        BODY.strip(),
        "return [half(x) for x in xs]",
        LOOP,
        LOOP.strip(),
        LOOP.replace("\n    ", "\n")[4:],
        "for x in []:\n        pass\n" + BODY,  # its first line has lost what indents it
        PROMPT + BODY,
        WHOLE,
        fenced(BODY),
        fenced(LOOP),
        fenced(WHOLE),
        fenced(PROMPT + BODY),
        fenced(f"from __future__ import annotations\n{WHOLE}"),
        fenced(f"{WHOLE}\nif __name__ == '__main__':\n    print(halves(input()))"),
        "```python\n" + WHOLE,
        fenced("print(halves([4]))") + fenced(WHOLE),
        f"You ask for\n```python\n{PROMPT.rstrip()}\n```\n{fenced(WHOLE)}",
        f"To complete:\n```\n{PROMPT}\n```\n{fenced(BODY)}",
        BODY + "```\nIt halves.",
        WHOLE + "```\nThe same in one line:\n```python\nhalves\n```",
        "Here:\n" + WHOLE,
        fenced(WHOLE.replace("\n", "\r\n")),
        "<think>\n```python\nno\n```\n</think>\n\n" + BODY,
        fenced("halves = lambda xs: [half(x) for x in xs]"),
    ],
)
def test_a_right_answer_is_right_in_whatever_shape(grades, halves, response):
    (grade,) = grades(halves, response)
    assert grade.correct, grade.reason


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("    return xs", "assert candidate([4, 6]) == [2, 3]"),
        ("    return [2, 3]", 'assert candidate([]) == [], "of nothing"'),
        ("    return [half(x) for x in y]", "NameError: name 'y' is not defined"),
        ("    return [", "SyntaxError"),
        ("    exit(0)\n    return 1", "NameError"),
        ("    raise SystemExit(0)", "SystemExit: 0"),
        ("    import os; os._exit(0)", "before a verdict"),
        (fenced("def other(xs): return xs"), "assert candidate([4, 6]) == [2, 3]"),
        (fenced("class S:\n    def halves(self, xs): return xs"), "assert candidate"),
    ],
)
def test_a_wrong_answer_is_wrong_with_its_reason(grades, halves, response, reason):
    (grade,) = grades(halves, response)
    assert not grade.correct and grade.read and reason in grade.reason
    assert "\n" not in grade.reason


@pytest.mark.parametrize("response", ["I cannot.", "```python\n```", "```", "<think>\n" + WHOLE])
def test_an_answer_without_code_is_not_read(code_judge, halves, response):
    (verdict,) = code_judge([Case(response, [halves])])
    grade = verdict.grades[0]
    assert not verdict.passed
    assert grade is None or (grade.read is None and grade.reason)


def test_what_was_read_is_the_code_as_it_was_answered(grades, halves):
    assert grades(halves, fenced(WHOLE)) == [Grade(True, WHOLE + "\n")]
    assert grades(halves, BODY) == [Grade(True, BODY)]


def test_kwargs_are_needed():
    for missing in ("prompt", "entry_point", "test"):
        kwargs = {"prompt": "p", "entry_point": "f", "test": "t"}
        del kwargs[missing]
        with pytest.raises(DataError) as caught:
            constraint("code:humaneval", kwargs, "a.jsonl:1")
        assert (caught.value.key, caught.value.where) == (missing, "a.jsonl:1")
