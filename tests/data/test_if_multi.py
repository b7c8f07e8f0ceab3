"""IF-Bench's training layout: a Python repr in a column of text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.data.layouts.if_multi import if_multi
from uniapl_cli.files import Row
from uniapl_cli.types import Constraint, Message
from uniapl_cli.verifiers import constraints

QUOTED = Path(__file__).parents[2].parent / "shared" / "data" / "if_multi" / "quoted_rows.jsonl"
TURNS = [{"content": "Describe IPv6.", "role": "user"}]
TRUTH = {
    "instruction_id": ["detectable_format:sentence_hyphens", "last_word:last_word_answer"],
    "kwargs": [None, {"last_word": "brief"}],
}
ROW = {
    "key": "ai2-adapt-dev/flan_v2_converted_1",
    "messages": TURNS,
    "ground_truth": repr([TRUTH]),
    "dataset": "ifeval",
    "constraint_type": "multi",
    "constraint": "Connect all sentences by hyphens. End with the word brief.",
}
BUILT = (
    Constraint("detectable_format:sentence_hyphens", {}),
    Constraint("last_word:last_word_answer", {"last_word": "brief"}),
)


def test_a_row_becomes_an_example(read):
    example = read("if_multi", **ROW)
    assert example.id == "ai2-adapt-dev/flan_v2_converted_1"
    assert example.prompt == (Message("user", "Describe IPv6."),)
    assert example.constraints == BUILT
    assert all(constraint.unwrap for constraint in example.constraints)
    assert (example.response, example.reference) == (None, None)
    assert example.row == ROW


@pytest.mark.parametrize(
    "label",
    [
        repr([TRUTH]),
        repr([json.dumps(TRUTH)]),  # the one element may be JSON text
        f" \n{[TRUTH]!r}\n",
        repr([{**TRUTH, "kwargs": [{}, {"last_word": "brief", "keyword": None}]}]),
        repr([{**TRUTH, "more": 1}]),
    ],
)
def test_the_ground_truth_may_be_written_so(read, label):
    assert read("if_multi", messages=TURNS, ground_truth=label).constraints == BUILT


def test_what_is_optional_may_be_null(read):
    example = read("if_multi", **{**ROW, "key": None, "dataset": None, "constraint": None})
    assert example.id == "1"


def test_no_instructions_are_no_constraints(read):
    label = repr([{"instruction_id": [], "kwargs": []}])
    assert read("if_multi", messages=TURNS, ground_truth=label).constraints == ()


def test_a_response_may_stand_in_a_column_or_as_the_last_turn(read):
    turns = [*TURNS, {"role": "assistant", "content": "So."}]
    assert read("if_multi", **{**ROW, "response": "Thus."}).response == "Thus."
    example = read("if_multi", **{**ROW, "messages": turns})
    assert (example.prompt_text, example.response) == ("Describe IPv6.", "So.")
    example = read("if_multi", **{**ROW, "messages": turns, "response": "Thus."})
    assert (example.prompt_text, example.response) == ("Describe IPv6.", "Thus.")


@pytest.mark.parametrize(
    "label",
    ["", "[{'instruction_id'", json.dumps([TRUTH]), "[open('x')]", "[{[]: 1}]", "[" * 10_000]
    + ["[]", repr([TRUTH, TRUTH]), "['{']", '{"func_name": "validate_title"}'],
    ids=str,
)
def test_a_ground_truth_that_is_no_list_of_one_object_is_refused(refused, label):
    assert refused("if_multi", messages=TURNS, ground_truth=label).got == label


@pytest.mark.parametrize(
    "truth",
    [
        [TRUTH],
        {"kwargs": [None]},
        {**TRUTH, "kwargs": {}},
        {**TRUTH, "instruction_id": "a"},
        {**TRUTH, "instruction_id": [1, 2]},
    ],
)
def test_an_object_of_another_shape_is_refused(refused, truth):
    assert refused("if_multi", messages=TURNS, ground_truth=repr([truth])).got == truth


@pytest.mark.parametrize(
    ("changes", "key", "got"),
    [
        ({"kwargs": [None]}, None, (TRUTH["instruction_id"], [None])),
        ({"kwargs": [None, None]}, "last_word", None),
        ({"kwargs": [None, {"last_word": ""}]}, "last_word", ""),
        ({"kwargs": [None, "{}"]}, None, "{}"),
        ({"instruction_id": ["new:copy"], "kwargs": [{}]}, None, "new:copy"),
    ],
)
def test_constraints_that_cannot_be_built_are_refused(refused, changes, key, got):
    error = refused("if_multi", messages=TURNS, ground_truth=repr([{**TRUTH, **changes}]))
    assert (error.key, error.got) == (key, got)


def test_columns_of_another_type_are_refused(refused):
    assert refused("if_multi", messages=TURNS, ground_truth=[TRUTH]).got == [TRUTH]
    columns = ["messages", "ground_truth"]
    assert refused("if_multi", messages=TURNS, ground_truth=None).got == columns
    assert refused("if_multi", messages=None, ground_truth=repr([TRUTH])).got == columns
    assert refused("if_multi", messages="Hi", ground_truth=repr([TRUTH])).got == "Hi"


@pytest.mark.parametrize("role", ["assistant", "system"])
def test_a_conversation_without_a_question_is_refused(refused, role):
    refused("if_multi", messages=[{"role": role, "content": "So."}], ground_truth=repr([TRUTH]))


@given(st.text(min_size=1).filter(str.strip))
def test_any_text_survives_the_repr(prompt):
    kwargs = {"prompt_to_repeat": prompt}
    truth = {"instruction_id": ["copy:copy"], "kwargs": [kwargs]}
    for element in (truth, json.dumps(truth)):
        row = Row("rows.jsonl:1", {"messages": TURNS, "ground_truth": repr([element])})
        assert if_multi(row, constraints).constraints == (Constraint("copy:copy", kwargs),)


@pytest.mark.shared
@pytest.mark.skipif(not QUOTED.is_file(), reason="shared/data/if_multi is not here")
def test_the_quoted_rows_of_the_real_set_are_read(read_all):
    examples = read_all(QUOTED, "if_multi")
    assert [len(example.constraints) for example in examples] == [1, 1, 1, 3, 4]
    assert [example.id.rpartition("_")[2] for example in examples] == ["16928", "78050", *"345"]
    assert examples[0].prompt == examples[1].prompt
    assert examples[0].constraints == (Constraint("paragraphs:paragraphs", {}),)
    assert examples[1].constraints[0].kwargs == {"num_paragraphs": 2}
    assert examples[4].constraints == (
        Constraint("keywords:palindrome", {}),
        Constraint("paragraphs:paragraphs", {}),
        Constraint("keywords:existence", {"keywords": ["item", "peak", "population", "team"]}),
        Constraint("detectable_content:number_placeholders", {"num_placeholders": 6}),
    )
