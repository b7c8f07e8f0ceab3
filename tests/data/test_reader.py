"""What a reader does with rows of any layout: columns left out, each answer learnt, other rows."""

import json

import pytest

from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import constraints

TALK = [("user", "One?"), ("assistant", "1."), ("user", "Two?"), ("assistant", "2.")]
TURNS = [{"role": role, "content": content} for role, content in TALK]
NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}


@pytest.fixture
def examples(tmp_path):
    """examples(*rows, layout, bad, **choices): what the rows of a file are read as."""

    def of(*rows, layout="auto", bad=None, **choices):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        bad = bad or BadRows(0)
        return read_examples(open_rows(str(path)), layout, constraints, bad, **choices)

    return of


@pytest.mark.parametrize(
    "name", ["images", "image", "videos", "audio", "documents", "functions", "chat_template_kwargs"]
)
@pytest.mark.parametrize(
    "row", [{"messages": TURNS}, {"prompt": "Hi"}, {"question": "", "answer": ""}]
)
def test_a_column_that_people_mean_is_never_dropped_unasked(examples, name, row):
    with pytest.raises(DataError) as caught:
        examples({**row, name: ["a"]})
    assert (caught.value.line, caught.value.got) == (1, name)


@pytest.mark.parametrize("blank", [None, "", [], {}])
def test_a_blank_column_is_no_column(examples, blank):
    assert len(examples({"prompt": "Hi", "images": blank})) == 1


def test_columns_and_fields_of_turns_are_left_out_on_purpose(examples):
    row = {"messages": [{**turn, "name": "Ada"} for turn in TURNS], "images": ["a.png"]}
    (example,) = examples(row, ignore=["images", "name"])
    assert not any(turn.more for turn in example.prompt) and not example.response_fields
    assert example.row == row


def test_fields_of_parts_are_left_out_on_purpose(examples):
    part = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    row = {"messages": [{"role": "user", "content": [part]}, TURNS[-1]]}
    with pytest.raises(DataError) as caught:
        examples(row)
    assert (caught.value.line, caught.value.got) == (1, "cache_control")
    (example,) = examples(row, ignore=["cache_control", "text"])
    assert example.prompt_text == "Hi"


def test_what_is_left_out_decides_no_layout(examples):
    row = {"messages": TURNS, "prompt": "Hi", "response": "So."}
    (example,) = examples(row, ignore=["messages"])
    assert (example.prompt_text, example.response) == ("Hi", "So.")


def test_each_answer_is_learnt_from_the_turns_before_it(examples):
    row = {"id": "a", "messages": TURNS, "reference": "2", **NO_COMMA}
    first, second = examples(row, every_turn=True)
    assert (first.id, second.id) == ("a#1", "a#2")
    assert (first.response, second.response) == ("1.", "2.")
    assert (first.prompt_text, second.prompt_text) == ("One?", "One?\n1.\nTwo?")
    assert (first.origin, first.row) == (second.origin, second.row)
    assert (len(first.constraints), len(second.constraints)) == (0, 1)
    assert (first.reference, second.reference) == (None, "2")


@pytest.mark.parametrize(
    ("row", "answers"),
    [
        ({"messages": TURNS[:2]}, ["1."]),
        ({"messages": TURNS[:3]}, ["1."]),
        ({"messages": TURNS[:3], "response": "Two."}, ["1.", "Two."]),
        ({"messages": TURNS, "response": "Two."}, ["1.", "Two."]),
        ({"messages": [TURNS[0], {**TURNS[1], "weight": 0}, *TURNS[2:]]}, ["2."]),
        ({"messages": [*TURNS[:3], {**TURNS[3], "train": False}]}, ["1."]),
        ({"prompt": TURNS[:3], "completion": TURNS[3:]}, ["2."]),
        ({"prompt": [TURNS[0]], "completion": TURNS[1:]}, ["1.", "2."]),
        ({"prompt": "Hi", "response": "So."}, ["So."]),
        (
            {"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}] * 2},
            ["B", "B"],
        ),
    ],
)
def test_which_answers_are_learnt(examples, row, answers):
    assert [example.response for example in examples(row, every_turn=True)] == answers


def test_a_row_with_one_bad_answer_is_one_bad_row(examples):
    bad = BadRows(1)
    turns = [TURNS[0], {**TURNS[1], "reasoning": 5}, *TURNS[2:]]
    assert examples({"messages": turns}, bad=bad, every_turn=True) == []
    assert [row.content for row in bad.rows] == [{"messages": turns}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [TURNS[0], {"role": "assistant", "content": ""}]},
        {"messages": [TURNS[0], {"role": "assistant", "content": "<think>\n\n</think>\n\n"}]},
        {"prompt": "Hi", "response": ""},
        {"prompt": "Hi", "response": " \n"},
        {"prompt": "Hi", "completion": ""},
        {"instruction": "Hi", "output": ""},
        {"prompt": "Hi", "chosen": "", "rejected": "So."},
    ],
)
def test_an_empty_answer_is_a_bad_row_where_it_would_be_learnt(examples, row):
    with pytest.raises(DataError) as caught:
        examples(row, learnt=True)
    assert caught.value.line == 1
    assert len(examples(row)) == 1


def test_a_call_or_thoughts_alone_are_no_empty_answer(examples):
    fields = ({"tool_calls": [{"function": {"name": "f"}}]}, {"reasoning_content": "Hm."})
    for more in fields:
        row = {"messages": [TURNS[0], {"role": "assistant", "content": "", **more}]}
        assert len(examples(row, learnt=True)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "Hi"},
        {"question": "Hi", "answer": "So."},
        {"messages": TURNS, "chosen": "a", "rejected": "b"},
    ],
)
def test_a_row_of_another_layout_is_a_bad_row(examples, other):
    bad = BadRows(1)
    rows = ({"messages": TURNS}, other, {"messages": TURNS, "more": 1})
    assert [example.origin[-1] for example in examples(*rows, bad=bad)] == ["1", "3"]
    assert (bad.rows[0].error.line, bad.rows[0].error.allowed) == (2, ("messages",))


def test_of_a_named_layout_rows_may_have_any_columns(examples):
    rows = [{"prompt": "Hi", **NO_COMMA}, {"messages": TURNS[:1]}, {"prompt": "Hi", "answer": "a"}]
    assert len(examples(*rows, layout="ifeval")) == 3


def test_a_file_of_bad_rows_says_what_is_wrong_with_one(examples):
    bad = BadRows(1)
    assert not examples({"prompt": 5}, bad=bad)
    error = bad.none_good("rows.jsonl")
    assert str(bad.rows[0].error) in error.problem and error.got == "rows.jsonl"


# As the paper's three training sets, and the rows that a teacher answered, have them.
THREE = [
    {"prompt": "One?", "response": "1.", **NO_COMMA},
    {"messages": TURNS, "eval_funcs": ["def evaluate(response): return True"]},
    {
        "messages": TURNS[:1],
        "ground_truth": "[{'instruction_id': ['punctuation:no_comma'], 'kwargs': [None]}]",
        "response": "1.",
    },
]


@pytest.mark.parametrize("every_turn", [False, True])
def test_rows_of_several_layouts_are_read_each_by_its_own_columns(examples, every_turn):
    together = examples(*THREE, layout="each", every_turn=every_turn)
    alone = [e for row in THREE for e in examples(row, layout="each", every_turn=every_turn)]
    assert [(e.prompt, e.response, e.constraints) for e in together] == [
        (e.prompt, e.response, e.constraints) for e in alone
    ]
    assert len(together) == (4 if every_turn else 3)
    last = [e for e in together if e.constraints]
    assert [e.constraints[0].id for e in last] == [
        "punctuation:no_comma", "autoif:evaluate", "punctuation:no_comma",
    ]  # fmt: skip


def test_with_each_a_row_of_no_layout_is_a_bad_row(examples):
    bad = BadRows(1)
    assert len(examples(THREE[0], {"colour": "red"}, layout="each", bad=bad)) == 1
    (row,) = bad.rows
    assert row.error.line == 2
    assert len(bad.rows) == 1
