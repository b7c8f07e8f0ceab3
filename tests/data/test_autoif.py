"""AutoIF's rows, as its two published layouts have them."""

from pathlib import Path

import pytest

from uniapl_cli.data.detect import detect
from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Message
from uniapl_cli.verifiers import constraints

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
SOURCE = "def evaluate(response): return True"
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}]


def read(**values):
    row = Row("rows.jsonl:3", values)
    return layouts[detect(row)].definition(row, constraints)


def test_a_row_with_functions_has_each_distinct_one_as_a_constraint():
    example = read(eval_funcs=[SOURCE, "def evaluate(r): return 1", SOURCE], messages=TURNS)
    assert [c.id for c in example.constraints] == ["autoif:evaluate"] * 2
    assert example.constraints[0].kwargs == {"source": SOURCE}
    assert (example.prompt, example.response) == ((Message("user", "Hi"),), "Yes.")


def test_the_older_layout_has_pairs_of_function_and_accuracy():
    example = read(prompt="Hi", eval_func=[[SOURCE, 0.9]], **{"gpt-answer": ["First.", "Second."]})
    assert example.constraints[0].kwargs == {"source": SOURCE}
    assert example.response == "First."


def test_a_system_column_is_the_first_turn():
    example = read(eval_funcs=[SOURCE], messages=TURNS, system="Be brief.")
    assert example.prompt[0] == Message("system", "Be brief.")


def test_a_teachers_response_takes_the_place_of_the_rows_own():
    assert read(eval_funcs=[SOURCE], messages=TURNS, response="New.").response == "New."


@pytest.mark.parametrize("functions", [[], "code", [1], [[1, 2]], None, [""]])
def test_what_is_no_function_is_refused_with_its_place(functions):
    with pytest.raises(DataError) as caught:
        read(eval_funcs=functions, messages=TURNS)
    assert caught.value.where == "rows.jsonl:3"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the reference data are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("derived_with_funcs_layout", 10),
        ("qwenlm_query_rft", 20),
        ("qwenlm_dpo_query_w_funcs", 21),
    ],
)
def test_the_real_rows_are_read(read_all, name, rows):
    examples = read_all(SHARED / "autoif" / f"{name}.jsonl", "auto")
    assert len(examples) == rows
    assert all(example.constraints and example.response for example in examples)
