"""Multi-IF: the turn that comes next, after the answers that are there."""

import json
from pathlib import Path

import pytest

from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Constraint, Message
from uniapl_cli.verifiers import constraints

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def turn(number, content, ids, kwargs):
    return {
        f"turn_{number}_prompt": json.dumps({"role": "user", "content": content}),
        f"turn_{number}_instruction_id_list": json.dumps(ids),
        f"turn_{number}_kwargs": json.dumps([json.dumps(k) for k in kwargs]),
    }


ROW = {
    **turn(1, "One", ["punctuation:no_comma"], [{}]),
    **turn(2, "Two", ["punctuation:no_comma", "startend:end_checker"], [{}, {"end_phrase": "x"}]),
    **{f"turn_3_{name}": "None" for name in ("prompt", "instruction_id_list", "kwargs")},
}


def read(**values):
    return layouts["multi_if"].definition(Row("rows.jsonl:3", {**ROW, **values}), constraints)


def test_the_first_turn_comes_first():
    example = read()
    assert example.prompt == (Message("user", "One"),)
    assert example.constraints == (Constraint("punctuation:no_comma", {}),)


def test_an_answered_turn_becomes_history():
    example = read(responses=["Yes"])
    assert [m.content for m in example.prompt] == ["One", "Yes", "Two"]
    assert [m.role for m in example.prompt] == ["user", "assistant", "user"]
    assert example.constraints[1].kwargs == {"end_phrase": "x"}


def test_a_turn_that_is_not_there_is_an_error_with_its_place():
    with pytest.raises(DataError) as caught:
        read(responses=["Yes", "No"])
    assert caught.value.where == "rows.jsonl:3"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the reference data are not beside this checkout")
def test_the_real_row_is_read(read_all):
    (example,) = read_all(SHARED / "multi_if" / "sample_1row.jsonl", "auto")
    assert [c.id for c in example.constraints][0] == "punctuation:no_comma"
