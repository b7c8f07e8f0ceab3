"""A row's columns say what layout it has."""

import pytest

from uniapl_cli.data.detect import detect
from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row

KNOWN = {
    "ifeval": ["key", "prompt", "instruction_id_list", "kwargs"],
    "if_multi": ["key", "messages", "ground_truth", "dataset", "constraint"],
    "autoif": ["eval_funcs", "messages", "system", "tools", "conversation_id"],
    "multi_if": ["turn_1_prompt", "turn_1_instruction_id_list", "turn_1_kwargs", "key"],
    "messages": ["messages", "id"],
    "preference": ["prompt", "chosen", "rejected"],
    "labelled": ["prompt", "completion", "label"],
}


def row(columns):
    return Row("rows.jsonl:1", dict.fromkeys(columns))


def test_every_layout_is_tried():
    assert set(KNOWN) == set(layouts)


@pytest.mark.parametrize(("layout", "columns"), KNOWN.items())
@pytest.mark.parametrize("more", [[], ["response", "sample", "model", "finish_reason"]])
def test_the_columns_tell_the_layout_also_after_teacher_gen(layout, columns, more):
    assert detect(row([*columns, *more])) == layout


@pytest.mark.parametrize("layout", ["messages", "preference", "labelled"])
def test_ifevals_columns_do_not_hide_what_else_is_there(layout):
    """A file of answers with constraints can be trained on and verified."""
    ifeval = ["instruction_id_list", "kwargs"]
    expected = "ifeval" if layout == "messages" else layout
    assert detect(row([*KNOWN[layout], "messages", *ifeval])) == expected


def test_a_prompt_alone_is_enough():
    assert detect(row(["prompt"])) == "ifeval"


def test_columns_of_no_layout_are_told_with_the_layouts_there_are():
    with pytest.raises(DataError) as caught:
        detect(row(["question"]))
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:1", ["question"])
    assert caught.value.allowed == tuple(layouts)


def test_two_layouts_that_fit_alike_must_be_told_apart_by_the_user():
    both = [*KNOWN["preference"], "messages", "ground_truth"]
    with pytest.raises(DataError) as caught:
        detect(row(both))
    assert (caught.value.line, caught.value.allowed) == (1, ("if_multi", "preference"))
