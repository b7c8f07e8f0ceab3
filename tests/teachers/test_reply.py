"""What becomes of a server's answer: whole, cut off, asked again, or one failure with a name."""

from __future__ import annotations

import pytest

from uniapl_cli.chat.thinking import read_thoughts, with_thoughts
from uniapl_cli.http import RequestFailed
from uniapl_cli.teachers import Answer
from uniapl_cli.teachers.reply import read
from uniapl_cli.teachers.teacher import Failure, flaw

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


def reply(content="So.", finish_reason: object = "stop", usage: object = USAGE, **message):
    choice = {"message": {"role": "assistant", "content": content, **message}}
    return {"choices": [{**choice, "finish_reason": finish_reason}], "usage": usage}


def failure(*arguments, **fields) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        read(reply(*arguments, **fields), 9)
    return caught.value


def flawed(*arguments, **fields) -> Failure:
    answer = read(reply(*arguments, **fields), 9)
    found = flaw(answer.text, answer.finish_reason)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("reason", "end"),
    {
        "stop": "stop",
        "eos": "stop",
        "eos_token": "stop",
        "stop_sequence": "stop",
        "end_turn": "stop",
        "STOP": "stop",
        "length": "length",
        "max_tokens": "length",
        "model_length": "length",
    }.items(),
)
def test_servers_have_several_words_for_the_two_ends(reason, end):
    assert read(reply(finish_reason=reason), 9) == Answer("So.", end, 7, 3)


def test_without_a_reason_the_count_of_tokens_says_whether_it_was_cut_off():
    assert read(reply(finish_reason=None), 4).finish_reason == "stop"
    assert read(reply(finish_reason=None), None).finish_reason == "stop"
    assert read(reply(finish_reason=None), 3).finish_reason == "length"
    assert read(reply(finish_reason=""), 4).finish_reason == "stop"
    missing = reply()
    del missing["choices"][0]["finish_reason"]
    assert read(missing, 3).finish_reason == "length"


def test_without_reason_and_count_nothing_is_known():
    error = failure(finish_reason=None, usage=None)
    assert (error.kind, error.repeatable) == ("no finish_reason", False)


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_what_broke_off_is_asked_again(reason):
    assert failure("Hel", reason).repeatable


@pytest.mark.parametrize(
    "reason",
    ["tool_calls", "function_call", "content_filter", "repetition", "bored", 3, ["stop"], {}, True],
)
def test_an_end_that_the_server_means_is_one_failure_with_its_name(reason):
    error = failure(None, reason)
    assert (error.kind, error.repeatable) == (f"ended by {reason}", False)


@pytest.mark.parametrize("name", ["tool_calls", "function_call", "refusal"])
def test_a_stop_that_calls_a_tool_or_refuses_is_no_answer(name):
    error = failure(None, "stop", **{name: [{"id": "c"}]})
    assert (error.kind, error.repeatable) == (f"ended by {name}", False)
    assert read(reply(**{name: None}), 9).text == "So."


@pytest.mark.parametrize("text", ["a\ud800", "\udfffa", "<think>\n\ud800\n</think>\n\nSo."])
@pytest.mark.parametrize("end", ["stop", "length"])
def test_what_is_no_text_is_one_failure(text, end):
    error = flawed(text, end)
    assert error.kind == "unusable text"
    assert "\ud800" not in error.reason and error.reason.isprintable()
    assert flawed("So.", end, reasoning_content=text).kind == "unusable text"


@pytest.mark.parametrize(
    "text", ["", None, " \n", "<think>\n\n</think>\n\n", "<think>\nHm.\n</think>"]
)
def test_a_stop_that_says_nothing_is_one_failure(text):
    assert flawed(text).kind == "empty answer"
    assert flawed(text, reasoning_content="Hm.").kind == "empty answer"


@pytest.mark.parametrize("text", ["", None])
def test_what_was_cut_off_may_be_empty(text):
    assert read(reply(text, "length"), 9) == Answer("", "length", 7, 3)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        *(
            {"prompt_tokens": count, "completion_tokens": count}
            for count in (-1, True, 2.5, float("nan"), "3", None, [3], 2**31, 10**400)
        ),
    ],
    ids=lambda usage: f"{usage!s:.40}",
)
def test_a_count_that_is_none_is_not_known(usage):
    assert read(reply(usage=usage), 9) == Answer("So.", "stop", None, None)


def test_one_of_the_counts_may_be_missing():
    assert read(reply(usage={"completion_tokens": 3}), 9) == Answer("So.", "stop", None, 3)


@pytest.mark.parametrize(
    "senseless",
    [
        None,
        [],
        "answer",
        3,
        {},
        {"choices": []},
        {"choices": {}},
        {"choices": [None]},
        {"choices": [{"finish_reason": "stop"}]},
        {"choices": [{"message": "So.", "finish_reason": "stop"}]},
        reply(3),
        reply({"text": "So."}),
        reply([3]),
        reply([{"type": "image_url"}]),
        reply(reasoning_content=["a"]),
    ],
    ids=lambda reply: f"{reply!s:.50}",
)
def test_what_is_no_answer_is_asked_again(senseless):
    with pytest.raises(RequestFailed) as caught:
        read(senseless, 9)
    assert (caught.value.kind, caught.value.repeatable) == ("unusable answer", True)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", ["So.", "\n\nSo.", "<think>\n\n</think>\n\nSo."])
def test_thoughts_apart_are_put_back_as_the_model_wrote_them(field, content):
    text = read(reply(content, **{field: "\nHm.\n"}), 9).text
    assert text == with_thoughts("Hm.", "So.") == "<think>\nHm.\n</think>\n\nSo."


@pytest.mark.parametrize("thoughts", [None, "", " \n"])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_empty_thoughts_are_none(field, thoughts):
    assert read(reply(**{field: thoughts}), 9).text == "So."


def test_one_of_two_fields_is_enough():
    fields = {"reasoning_content": "", "reasoning": "Hm."}
    assert read_thoughts(read(reply(**fields), 9).text).reasoning == "Hm."


def test_thoughts_in_the_text_are_not_doubled():
    text = "<think>\nHm.\n</think>\n\nSo."
    assert read(reply(text, reasoning="Hm."), 9).text == text


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_what_was_cut_off_in_its_thoughts_does_not_close_them(content):
    answer = read(reply(content, "length", reasoning_content="Hm, the "), 9)
    assert answer == Answer("<think>\nHm, the", "length", 7, 3)
    assert read_thoughts(answer.text).answer == ""


def test_a_content_may_come_in_parts():
    texts = [{"type": "text", "text": "So"}, ".", {"type": "output_text", "text": "!"}]
    assert read(reply(texts), 9).text == "So.!"
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    assert read(reply([thinking, *texts]), 9).text == with_thoughts("Hm.", "So.!")
    assert read(reply([{"type": "reasoning", "text": "Hm."}, "So."]), 9).text == (
        with_thoughts("Hm.", "So.")
    )
