"""MBPP's rows, those that were checked by hand too."""

import pytest

from uniapl_cli.data.detect import detect
from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.verifiers import constraints

ROW = {"text": "Double it.", "code": "def f(x): return 2 * x", "test_list": ["assert f(1) == 2"]}


def read(**changes):
    return layouts["mbpp"].definition(Row("mbpp.jsonl:3", {**ROW, **changes}), constraints)


def test_the_prompt_shows_the_task_and_all_tests():
    tests = ["assert f(1) == 2", "assert f(2) == 4", "assert f(0) == 0"]
    example = read(test_list=tests)
    assert all(text in example.prompt_text for text in ["Double it.", *tests, "Python code block"])
    assert example.reference == ROW["code"] and example.response is None
    assert [one.id for one in example.constraints] == ["code:tests"]
    assert example.constraints[0].kwargs == {"tests": tests}


@pytest.mark.parametrize(
    ("columns", "id"),
    [({"task_id": 601}, "601"), ({"task_id": 601, "key": "a"}, "a"), ({}, "3")],
)
def test_a_row_is_named_by_its_task(columns, id):
    assert read(**columns).id == id


def test_the_sanitized_rows_are_told_from_prompts_without_tests():
    sanitized = {"prompt": "Double it.", "code": "c", "test_list": [], "test_imports": []}
    assert detect(Row("a:1", sanitized)) == "mbpp"
    assert detect(Row("a:1", {"prompt": "Double it.", "code": "c"})) == "ifeval"


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"text": None}, "text"),
        ({"test_list": []}, "tests"),
        ({"test_list": "assert f(1)"}, "test_list"),
        ({"test_imports": [1]}, "test_imports"),
        ({"test_setup_code": 1}, "test_setup_code"),
    ],
)
def test_a_row_that_cannot_be_tested_is_an_error_that_names_it(changes, column):
    with pytest.raises(DataError) as caught:
        read(**changes)
    assert caught.value.where == "mbpp.jsonl:3" and column in str(caught.value)
