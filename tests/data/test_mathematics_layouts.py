"""GSM8K and MATH as prompts whose answers are verified."""

import pytest

from uniapl_cli.boxed import ASKED
from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.verifiers import constraints


def read(layout, **values):
    return layouts[layout].definition(Row("rows.jsonl:1", values), constraints)


def test_a_question_of_gsm8k_asks_for_a_box_and_is_verified_by_its_number():
    example = read("gsm8k", question="How many? ", answer="a\n#### no\n#### 1,234\n")
    assert example.prompt[-1].content == f"How many?\n{ASKED}"
    assert [(c.id, dict(c.kwargs)) for c in example.constraints] == [
        ("answer:number", {"answer": "1,234"})
    ]
    assert example.response is None and example.reference == "a\n#### no\n#### 1,234\n"


@pytest.mark.parametrize("answer", [None, "", "no mark: 4", "#### four", "####"])
def test_a_row_of_gsm8k_without_a_number_is_bad(answer):
    with pytest.raises(DataError) as caught:
        read("gsm8k", question="How many?", answer=answer)
    assert caught.value.where == "rows.jsonl:1"


def test_the_answer_of_a_problem_is_the_column_or_the_last_box_of_the_solution():
    solution = "first \\boxed{3}, then $\\boxed{\\frac{1}{2}}$"
    boxed = read("math", problem="p", solution=solution)
    column = read("math", problem="p", solution=solution, answer="0.5")
    alone = read("math", problem="p", answer="0.5")
    answers = [e.constraints[0].kwargs["answer"] for e in (boxed, column, alone)]
    assert answers == ["\\frac{1}{2}", "0.5", "0.5"]
    assert (boxed.reference, column.reference, alone.reference) == (solution, solution, "0.5")


@pytest.mark.parametrize("values", [{}, {"solution": "no box"}, {"solution": "\\boxed{}"}])
def test_a_problem_without_an_answer_is_bad(values):
    with pytest.raises(DataError) as caught:
        read("math", problem="p", **values)
    assert caught.value.where == "rows.jsonl:1"


def test_a_teacher_s_response_and_the_row_s_own_reference_are_kept():
    more = {"response": "\\boxed{4}", "reference": "four"}
    for example in (
        read("gsm8k", question="q", answer="#### 4", **more),
        read("math", problem="p", answer="4", **more),
    ):
        assert (example.response, example.reference) == ("\\boxed{4}", "four")
