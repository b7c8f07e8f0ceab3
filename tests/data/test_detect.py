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
    "prompt_completion": ["prompt", "completion"],
    "sharegpt": ["id", "conversations", "system", "tools"],
    "alpaca": ["instruction", "input", "output", "history"],
    "question_answer": ["problem", "solution", "answer", "level"],
    "mbpp": ["text", "code", "task_id", "test_list", "test_setup_code", "challenge_test_list"],
}

# Their columns are question_answer's too: to be learnt or to be asked, only a user knows.
NAMED = {"gsm8k", "math"}


def row(columns):
    return Row("rows.jsonl:1", dict.fromkeys(columns))


def test_every_layout_is_tried():
    assert set(KNOWN) | NAMED == set(layouts)


@pytest.mark.parametrize(("layout", "columns"), KNOWN.items())
@pytest.mark.parametrize("more", [[], ["response", "sample", "model", "finish_reason"]])
def test_the_columns_tell_the_layout_also_after_teacher_gen(layout, columns, more):
    assert detect(row([*columns, *more])) == layout


@pytest.mark.parametrize(
    "layout", ["messages", "prompt_completion", "sharegpt", "preference", "labelled"]
)
@pytest.mark.parametrize("more", [["prompt"], ["prompt", "prompt_id"], ["system", "tools"]])
def test_ifevals_columns_do_not_hide_what_else_is_there(layout, more):
    """A file of answers with constraints can be trained on and verified."""
    assert detect(row([*KNOWN[layout], "instruction_id_list", "kwargs", *more])) == layout


@pytest.mark.parametrize(
    ("layout", "columns"),
    [
        ("messages", ["prompt", "prompt_id", "messages", "category"]),  # no_robots
        ("messages", ["source", "problem", "solution", "messages"]),  # NuminaMath
        ("sharegpt", ["conversation_id", "instruction", "response", "conversations"]),  # Magpie
        ("preference", ["prompt", "prompt_id", "chosen", "rejected", "messages", "score_chosen"]),
        ("if_multi", ["prompt", "messages", "ground_truth"]),
        ("autoif", ["prompt", "messages", "eval_funcs"]),
        ("alpaca", ["instruction", "context", "response", "category"]),  # Dolly
        ("alpaca", ["instruction", "response"]),
        # A prompt is a prompt, also where what it was made of stands beside it.
        ("ifeval", ["prompt", "question", "answer"]),
        ("ifeval", ["prompt", "instruction", "query", "response", "gen"]),  # AutoIF
        ("question_answer", ["question", "answer"]),  # GSM8K
        ("question_answer", ["query", "response"]),
    ],
)
def test_columns_that_several_layouts_have_are_taken_for_what_people_mean(layout, columns):
    assert detect(row(columns)) == layout


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        (["instruction", "outputs"], "output"),
        (["mesages"], "messages"),
        (["conversation"], "conversations"),
        (["promt", "response"], "prompt"),
        (["question", "anwser"], "answer"),
    ],
)
def test_a_misspelt_column_is_told_with_the_nearest_one(columns, missing):
    with pytest.raises(DataError) as caught:
        detect(row(columns))
    assert caught.value.suggestion == missing


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
