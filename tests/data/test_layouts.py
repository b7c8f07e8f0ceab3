"""A row is read whole or refused with its file and line."""

import json

import pytest

from uniapl_cli.data import BadRow, BadRows, open_rows, read_examples
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


def read(tmp_path, *rows, layout="ifeval", bad=None):
    path = tmp_path / "rows.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_examples(open_rows(str(path)), layout, constraints, bad or BadRows(0))


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


def test_instructions_may_be_json_text(tmp_path):
    text = {name: json.dumps(GOOD[name]) for name in ("instruction_id_list", "kwargs")}
    plain, spelt = read(tmp_path, GOOD, {**GOOD, **text})
    assert spelt.constraints == plain.constraints


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
    ("row", "got"),
    [
        ({"question": "Hi"}, ["question"]),
        ({"prompt": ""}, ["prompt"]),
        ({"prompt": 5}, 5),
        ({"prompt": "Hi", "response": ["So."]}, ["So."]),
        ({"prompt": "Hi", "reference": 1.5}, 1.5),
        ({"messages": []}, []),
        ({"messages": "Hi"}, "Hi"),
        ({"messages": {}}, {}),
        ({"messages": [{"role": "user"}]}, {"role": "user"}),
        (
            {"messages": [{"role": "user", "content": None}]},
            {"role": "user", "content": None},
        ),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, ["tool"]),
        ({"prompt": "Hi", "instruction_id_list": "a", "kwargs": []}, "a"),
        ({"prompt": "Hi", "instruction_id_list": [5], "kwargs": [{}]}, [[5], [{}]]),
        ({**GOOD, "kwargs": [{}]}, (GOOD["instruction_id_list"], [{}])),
        ({**GOOD, "kwargs": None}, [GOOD["instruction_id_list"], None]),
        (
            {"prompt": "Hi", "instruction_id_list": ["punctuation:no_comas"], "kwargs": [{}]},
            "punctuation:no_comas",
        ),
        ({**GOOD, "kwargs": [{}, {"num_bullets": "2"}]}, "2"),
    ],
)
def test_a_bad_row_is_an_error_with_file_and_line(tmp_path, row, got):
    with pytest.raises(DataError) as caught:
        read(tmp_path, GOOD, "", row)
    assert caught.value.where == f"{tmp_path / 'rows.jsonl'}:3"
    assert caught.value.got == got


def test_a_misspelt_name_in_a_row_is_told_with_the_right_one(tmp_path):
    turn = {"role": "asistant", "content": "So."}
    wrong = {"prompt": "Hi", "instruction_id_list": ["punctuation:no_comas"], "kwargs": [{}]}
    suggested = {
        "assistant": {"messages": [turn]},
        "punctuation:no_comma": wrong,
        "num_bullets": {**GOOD, "kwargs": [{}, {"num_bullet": 2}]},
    }
    for name, row in suggested.items():
        with pytest.raises(DataError) as caught:
            read(tmp_path, row)
        assert caught.value.suggestion == name


@pytest.mark.parametrize("layout", ["auto", "ifeval"])
def test_a_file_without_rows_is_an_error(tmp_path, layout):
    with pytest.raises(DataError) as caught:
        read(tmp_path, "", "  ", layout=layout)
    assert caught.value.got == str(tmp_path / "rows.jsonl")


def test_bad_rows_are_collected_up_to_the_limit(tmp_path):
    bad = BadRows(2)
    wrong = {"prompt": 5}
    examples = read(tmp_path, "not JSON", GOOD, wrong, GOOD, layout="auto", bad=bad)
    assert [example.origin.rpartition(":")[2] for example in examples] == ["2", "4"]
    assert [row.error.line for row in bad.rows] == [1, 3]
    assert [row["row"] for row in bad.as_rows()] == ["not JSON", wrong]
    assert all("rows.jsonl:" in row["reason"] for row in bad.as_rows())


@pytest.mark.parametrize("limit", [0, 1])
def test_one_bad_row_more_is_an_error(tmp_path, limit):
    with pytest.raises(DataError) as caught:
        read(tmp_path, GOOD, {"prompt": 5}, "not JSON", bad=BadRows(limit))
    assert caught.value.line == 2 + limit


def test_nothing_but_bad_rows_is_no_example(tmp_path):
    bad = BadRows(3)
    assert read(tmp_path, "[]", "{", layout="auto", bad=bad) == []
    assert [type(row) for row in bad.rows] == [BadRow, BadRow]


def test_each_row_is_parsed_once(tmp_path, monkeypatch):
    from uniapl_cli.data import text_files as module

    parsed, parse = [], module.parse_row
    monkeypatch.setattr(module, "parse_row", lambda *row: parsed.append(row[1]) or parse(*row))
    examples = read(tmp_path, GOOD, GOOD, GOOD, layout="auto")
    assert [example.origin for example in examples] == parsed


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(UniAPLError) as caught:
        read(tmp_path, GOOD, layout="ifevel")
    assert caught.value.suggestion == "ifeval"
