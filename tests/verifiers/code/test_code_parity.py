"""HumanEval's and MBPP's own solutions, in the shapes that models answer in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uniapl_cli.data import open_rows
from uniapl_cli.data.layouts import layouts
from uniapl_cli.types import Constraint, Example
from uniapl_cli.verifiers import Case, constraint, constraints

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "humaneval").is_dir(), reason="shared/data is not here"),
]
Task = dict[str, Any]


def tasks(name: str) -> list[Task]:
    return [json.loads(line) for line in (SHARED / "humaneval" / name).open(encoding="utf-8")]


def check_of(task: Task) -> Constraint:
    kwargs = {name: task[name] for name in ("prompt", "entry_point", "test")}
    return constraint("code:humaneval", kwargs)


def fenced(code: str) -> str:
    return f"Here it is:\n```python\n{code}\n```\nIt does what was asked."


def whole(task: Task) -> str:
    return task["prompt"] + task["canonical_solution"]


def without_docstring(task: Task) -> str:
    """Rewritten by a pattern, which breaks HumanEval/64: that has triple quotes within its own."""
    prompt = re.sub(r"(\"\"\"|''')(.|\n)*?\1", "", task["prompt"])
    return fenced(prompt + task["canonical_solution"])


SHAPES: dict[str, tuple[Callable[[Task], str], int]] = {
    "body": (lambda task: task["canonical_solution"], 164),
    "whole, in a fence": (lambda task: fenced(whole(task)), 164),
    "body, in a fence": (lambda task: fenced(task["canonical_solution"]), 164),
    "without docstring": (without_docstring, 163),
    "whole": (whole, 164),
    "never closed": (lambda task: "```python\n" + whole(task), 164),
    "after its usage": (
        lambda task: fenced(f"print({task['entry_point']}(1))") + fenced(whole(task)),
        164,
    ),
    "body without its indent": (lambda task: task["canonical_solution"].strip(), 164),
    "returns None": (lambda task: "    return None", 0),
}
QUICK = ("whole, in a fence", "body without its indent", "returns None")


@pytest.mark.parametrize(
    "shape", [s if s in QUICK else pytest.param(s, marks=pytest.mark.slow) for s in SHAPES]
)
def test_humaneval_s_solutions_in_every_shape(code_judge, shape):
    write, expected = SHAPES[shape]
    cases = [Case(write(task), [check_of(task)]) for task in tasks("HumanEval.jsonl")]
    verdicts = code_judge(cases)
    assert len(cases) == 164
    assert sum(verdict.passed for verdict in verdicts) == expected
    assert all(verdict.grades[0].read for verdict in verdicts)


def test_the_example_that_humaneval_s_readme_gives(code_judge):
    """Half of six pass; one of them sleeps for 10 s, which the official limit of 3 s ends."""
    (task,) = tasks("example_problem.jsonl")
    samples = tasks("example_samples.jsonl")
    verdicts = code_judge([Case(one["completion"], [check_of(task)]) for one in samples])
    assert [verdict.passed for verdict in verdicts] == [False] * 3 + [True] * 3
    assert "ran longer than 3 s" in verdicts[1].grades[0].reason


def mbpp(name: str) -> list[Example]:
    rows = open_rows(str(SHARED / "mbpp" / name))
    return [layouts["mbpp"].definition(row, constraints) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("mbpp.jsonl", 974), ("sanitized-mbpp.json", 427)])
@pytest.mark.parametrize("mark", ["{}", "Here:\n```python\n{}\n```\n", "[BEGIN]\n{}\n[DONE]\nMore"])
def test_mbpp_s_solutions(code_judge, name, count, mark):
    examples = mbpp(name)
    cases = [Case(mark.replace("{}", str(one.reference)), one.constraints) for one in examples]
    assert (len(cases), sum(v.passed for v in code_judge(cases))) == (count, count)


def test_a_tenth_of_mbpp_s_solutions_and_empty_ones(code_judge):
    examples = mbpp("mbpp.jsonl")[::10]
    right = [Case(fenced(str(one.reference)), one.constraints) for one in examples]
    empty = [Case(fenced("pass"), one.constraints) for one in examples]
    assert [sum(v.passed for v in code_judge(cases)) for cases in (right, empty)] == [98, 0]


@pytest.mark.slow
def test_an_empty_answer_passes_none_of_mbpp(code_judge):
    verdicts = code_judge([Case(fenced("pass"), one.constraints) for one in mbpp("mbpp.jsonl")])
    assert not any(verdict.passed for verdict in verdicts)
