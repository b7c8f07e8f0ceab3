"""A row is read whole or refused with its file and line."""

import json

import pytest

from uniapl_cli.data import read_examples
from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.types import Constraint, Message
from uniapl_cli.verifiers import constraints

GOOD = {
    "key": 7,
    "prompt": "Tell me.",
    "instruction_id_list": ["punctuation:no_comma", "detectable_format:number_bullet_lists"],
    "kwargs": [{}, {"num_bullets": 2, "other": None}],
    "response": "So.",
    "reference": "That.",
    "more": [1],
}


def read(tmp_path, *rows, layout="ifeval"):
    path = tmp_path / "rows.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return list(read_examples(path, layout, constraints))


def test_a_row_becomes_an_example(tmp_path):
    (example,) = read(tmp_path, GOOD)
    assert (example.id, example.response, example.reference) == ("7", "So.", "That.")
    assert example.prompt == (Message("user", "Tell me."),)
    assert example.constraints == (
        Constraint("punctuation:no_comma", {}),
        Constraint("detectable_format:number_bullet_lists", {"num_bullets": 2}),
    )
    assert example.row == GOOD
    assert example.origin == f"{tmp_path / 'rows.jsonl'}:1"


def test_messages_may_stand_for_the_prompt(tmp_path):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    (example,) = read(tmp_path, {"messages": turns})
    assert example.prompt == (Message("system", "Be brief."), Message("user", "Hi"))
    assert example.prompt_text == "Be brief.\nHi"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [({"key": 0}, "0"), ({"id": "a"}, "a"), ({"key": "k", "id": "a"}, "k"), ({}, "2")]
    + [({"key": None}, "2"), ({"key": None, "id": "a"}, "a")],
)
def test_the_id_is_the_key_or_the_id_or_the_line(tmp_path, columns, expected):
    examples = read(tmp_path, GOOD, {"prompt": "Hi", **columns})
    assert examples[1].id == expected


def test_what_is_optional_may_be_absent(tmp_path):
    (example,) = read(tmp_path, {"prompt": "Hi"})
    assert (example.constraints, example.response, example.reference) == ((), None, None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "Hi"}, r"a 'prompt' or 'messages' is needed; got \['question'\]"),
        ({"prompt": ""}, "a 'prompt' or 'messages' is needed"),
        ({"prompt": 5}, "'prompt' must be text, got int"),
        ({"prompt": "Hi", "response": ["So."]}, "'response' must be text, got list"),
        ({"prompt": "Hi", "reference": 1.5}, "'reference' must be text, got float"),
        ({"messages": []}, "messages must be a list of {role, content}"),
        ({"messages": "Hi"}, "messages must be a list of {role, content}"),
        ({"messages": {}}, "messages must be a list of {role, content}"),
        ({"messages": [{"role": "user"}]}, "messages must be a list of {role, content}"),
        ({"messages": [{"role": "user", "content": None}]}, "messages must be a list"),
        (
            {"messages": [{"role": "tool", "content": "Hi"}]},
            "no role 'tool': system, user and assistant are known",
        ),
        ({"prompt": "Hi", "instruction_id_list": "a", "kwargs": []}, "must be lists"),
        ({"prompt": "Hi", "instruction_id_list": [5], "kwargs": [{}]}, "must be lists"),
        ({**GOOD, "kwargs": [{}]}, "2 instruction ids but 1 kwargs"),
        ({**GOOD, "kwargs": None}, "must be lists"),
        (
            {"prompt": "Hi", "instruction_id_list": ["punctuation:no_comas"], "kwargs": [{}]},
            "unknown instruction 'punctuation:no_comas'. Did you mean 'punctuation:no_comma'?",
        ),
        ({**GOOD, "kwargs": [{}, {}]}, "'num_bullets' is missing. It takes: num_bullets"),
        ({**GOOD, "kwargs": [{}, {"num_bullet": 2}]}, "Did you mean 'num_bullets'"),
        ({**GOOD, "kwargs": [{}, {"num_bullets": "2"}]}, "'2' is not of type int"),
    ],
)
def test_a_bad_row_is_an_error_with_file_and_line(tmp_path, row, message):
    with pytest.raises(DataError, match=f"rows.jsonl:3: .*{message}"):
        read(tmp_path, GOOD, "", row)


def test_a_file_without_rows_is_an_error(tmp_path):
    with pytest.raises(DataError, match="rows.jsonl' has no rows"):
        read(tmp_path, "", "  ")


def test_rows_are_read_one_by_one(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(GOOD) + "\nnot JSON\n")
    rows = read_examples(path, "ifeval", constraints)
    assert next(rows).id == "7"
    with pytest.raises(DataError, match="rows.jsonl:2: not JSON"):
        next(rows)


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(UniAPLError, match="unknown layout 'ifevel'. Did you mean 'ifeval'"):
        read(tmp_path, GOOD, layout="ifevel")
