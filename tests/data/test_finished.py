"""Responses that were cut off: known by their finish_reason, and taught without a stop token."""

from __future__ import annotations

import json
import logging

import pytest

from uniapl_cli.chat import Chat
from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.data.encode import CUT_OFF, encode
from uniapl_cli.errors import DataError
from uniapl_cli.types import Message
from uniapl_cli.verifiers import constraints

USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "So the"}
ROWS = {
    "ifeval": {"prompt": "Hi", "instruction_id_list": [], "kwargs": [], "response": "So the"},
    "messages": {"messages": [USER, ANSWER]},
    "messages with a response": {"messages": [USER], "response": "So the"},
    "preference with a response": {
        "prompt": "Hi",
        "chosen": "Yes.",
        "rejected": "No.",
        "response": "So the",
    },
}


@pytest.fixture(scope="module")
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def read(tmp_path):
    """read(*rows): their examples."""

    def examples(*rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_examples(open_rows(str(path)), "auto", constraints, BadRows(0))

    return examples


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(
    ("reason", "finished"),
    {
        None: True,
        "": True,
        "stop": True,
        "eos": True,
        "EOS_TOKEN": True,
        "stop_sequence": True,
        "length": False,
        "LENGTH": False,
        "max_tokens": False,
        "content_filter": False,
        "tool_calls": False,
    }.items(),
)
def test_a_reason_says_whether_the_response_is_whole(read, chat, row, reason, finished):
    [example] = read({**row, "finish_reason": reason})
    assert (example.response, example.finished) == ("So the", finished)
    [item] = encode(chat, [example], ("response",))
    whole = chat.response_ids("So the")
    assert list(item.response) == (whole if finished else whole[:-1])
    assert whole[-1] == chat.stop_id


def test_without_a_reason_a_response_is_whole(read):
    assert all(example.finished for row in ROWS.values() for example in read(row))


def test_of_a_pair_the_reason_says_nothing(read, chat):
    row = {"prompt": "Hi", "chosen": "Yes.", "rejected": "No.", "finish_reason": "length"}
    [item] = encode(chat, read(row))
    assert (item.response[-1], item.rejected[-1]) == (chat.stop_id, chat.stop_id)


@pytest.mark.parametrize("label", [True, False])
def test_of_a_labelled_answer_it_does(read, chat, label):
    row = {"prompt": "Hi", "completion": "So the", "label": label, "finish_reason": "length"}
    [item] = encode(chat, read(row))
    assert list(item.response or item.rejected) == chat.response_ids("So the")[:-1]


@pytest.mark.parametrize("reason", ["tool_calls", "function_call"])
def test_calls_end_an_answer_that_has_them(read, reason):
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    row = {"messages": [USER, {**ANSWER, "tool_calls": [call]}]}
    [calls] = read({**row, "finish_reason": reason})
    [cut] = read({**row, "finish_reason": "length"})
    assert (calls.finished, cut.finished) == (True, False)


@pytest.mark.parametrize("reason", [3, ["length"], {"type": "length"}, True])
def test_a_reason_is_text(read, reason):
    with pytest.raises(DataError) as caught:
        read({**ROWS["ifeval"], "finish_reason": reason})
    assert (caught.value.line, caught.value.got) == (1, reason)


def test_one_warning_counts_them(read, chat, caplog):
    cut = {**ROWS["ifeval"], "finish_reason": "length"}
    with caplog.at_level(logging.WARNING, "uniapl"):
        encode(chat, read(cut, ROWS["ifeval"], cut))
        encode(chat, read(cut), ())
        encode(chat, read(ROWS["ifeval"]))
    assert [record.args for record in caplog.records] == [(CUT_OFF, 2)]


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("reason", ["length", None])
def test_thoughts_that_were_cut_off_are_not_closed(read, new_chat, thinking, reason):
    chat = new_chat(thinking)
    row = {**ROWS["ifeval"], "response": "<think>\nHm, the", "finish_reason": reason}
    if not thinking:  # nothing is left to learn
        with pytest.raises(DataError):
            encode(chat, read(row))
        return
    [item] = encode(chat, read(row))
    text = chat.tokenizer.decode(list(item.response))
    assert text.endswith("Hm, the") and item.response[-1] != chat.stop_id and "</think>" not in text


@pytest.fixture
def new_chat(tokenizer):
    return lambda thinking: Chat(tokenizer, thinking=thinking)


def test_what_was_cut_off_before_it_said_anything_is_a_bad_row(read, chat):
    row = {**ROWS["ifeval"], "response": "", "finish_reason": "length"}
    with pytest.raises(DataError) as caught:
        encode(chat, read(row))
    assert caught.value.line == 1
    bad = BadRows(1)
    assert encode(chat, read(row), bad=bad) == [] and len(bad.rows) == 1
    [item] = encode(chat, read(row), ())
    assert item.example.prompt == (Message("user", "Hi"),)
