"""Turns are read whole: what a model would not see is an error that names it."""

import pytest

from uniapl_cli.chat.thinking import Thoughts, read_thoughts
from uniapl_cli.types import Message

USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}
RESULT = {"role": "tool", "content": "7", "tool_call_id": "c1"}
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def test_a_call_of_a_tool_is_a_response(read):
    example = read("messages", messages=[USER, CALL], tools=TOOLS)
    assert (example.response, example.tools) == ("", tuple(TOOLS))
    assert example.response_fields == {"tool_calls": CALL["tool_calls"]}


def test_calls_and_results_before_the_answer_are_in_the_prompt(read):
    example = read("messages", messages=[USER, CALL, RESULT, ANSWER])
    _, call, result = example.prompt
    assert call == Message("assistant", "", {"tool_calls": CALL["tool_calls"]})
    assert result == Message("tool", "7", {"tool_call_id": "c1"})


def test_any_field_of_any_turn_is_kept_unless_it_is_blank(read):
    fields = {"name": "Ada", "number": 0, "flag": False, "none": None, "empty": [], "text": ""}
    example = read("messages", messages=[{**USER, **fields}, {**ANSWER, **fields}])
    kept = {"name": "Ada", "number": 0, "flag": False}
    assert (example.prompt[0].more, example.response_fields) == (kept, kept)


@pytest.mark.parametrize("layout", ["messages", "ifeval"])
@pytest.mark.parametrize("tools", [None, [], "", " ", "[]"])
def test_blank_tools_are_none(read, layout, tools):
    assert read(layout, messages=[USER], tools=tools).tools == ()


def test_tools_may_be_json_text(read):
    text = '[{"type": "function", "function": {"name": "f"}}]'
    assert read("messages", messages=[USER], tools=text).tools == tuple(TOOLS)
    assert read("ifeval", prompt="Why?", tools=text).tools == tuple(TOOLS)


@pytest.mark.parametrize(
    "tools", ["{", "[1]", [1], {"name": "f"}, '{"a": 1}', '[{"a": 1, "a": 2}]']
)
def test_other_tools_are_refused(refused, tools):
    assert "tools" in refused("messages", messages=[USER], tools=tools).problem


def test_texts_of_several_parts_are_joined(read):
    parts = [{"type": "text", "text": "Wh"}, {"type": "text", "text": "y?", "image": None}]
    assert read("messages", messages=[{"role": "user", "content": parts}]).prompt == (
        Message("user", "Why?"),
    )


@pytest.mark.parametrize(
    ("part", "got"),
    [
        ({"type": "image", "url": "a.png"}, "image"),
        ({"type": "input_audio"}, "input_audio"),
        ({"text": "Why?"}, None),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": "Why?", "image": "a.png"}, "image"),
        (5, "int"),
    ],
)
def test_a_part_that_is_no_text_is_named_with_its_turn(refused, part, got):
    turn = {"role": "user", "content": [{"type": "text", "text": "What?"}, part]}
    error = refused("messages", messages=[USER, ANSWER, turn])
    assert error.got == got
    assert "messages[2]" in error.problem


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_in_a_field_are_the_responses_think_block(read, field):
    example = read("messages", messages=[USER, {**ANSWER, field: " Hm. "}])
    assert example.response == "<think>\nHm.\n</think>\n\nSo."
    assert example.response_fields == {}
    again = {"role": "assistant", "content": example.response, field: "Hm."}
    assert read("messages", messages=[USER, again]).response == example.response
    unthinking = {"role": "assistant", "content": "<think>\n\n</think>\n\nSo.", field: "Hm."}
    assert read("messages", messages=[USER, unthinking]).response == example.response


@pytest.mark.parametrize("text", ["So.", "<think>Hm.</think>So."])
def test_thoughts_in_a_field_may_have_the_marks_of_a_block(read, text):
    turn = {**ANSWER, "content": text, "reasoning": "<think>\nHm.\n</think>"}
    response = read("messages", messages=[USER, turn]).response
    assert response.count("<think>") == 1
    assert read_thoughts(response) == Thoughts("Hm.", "So.")


def test_thoughts_of_earlier_answers_stay_in_their_field(read):
    turns = [USER, {**ANSWER, "reasoning_content": "Hm."}, USER, ANSWER]
    assert read("messages", messages=turns).prompt[1].more == {"reasoning_content": "Hm."}


@pytest.mark.parametrize(
    ("layout", "columns"),
    [
        ("ifeval", {"prompt": "Why?", "response": "So."}),
        ("prompt_completion", {"prompt": "Why?", "completion": "So."}),
        ("messages", {"messages": [USER, ANSWER]}),
        ("question_answer", {"question": "Why?", "answer": "So."}),
    ],
)
def test_thoughts_in_a_column_are_the_responses_think_block(read, layout, columns):
    example = read(layout, **columns, reasoning_content="Hm.")
    assert example.response == "<think>\nHm.\n</think>\n\nSo."


@pytest.mark.parametrize(
    "columns",
    [
        {"messages": [USER, {**ANSWER, "reasoning_content": 5}]},
        {"messages": [USER, {**ANSWER, "content": "<think>A</think>So.", "reasoning": "B"}]},
        {"messages": [USER, {**ANSWER, "content": "<think>A", "reasoning": "B"}]},
        {"messages": [USER, {**ANSWER, "reasoning": "A", "thinking": "B"}]},
        {"messages": [USER, {**ANSWER, "reasoning": "A"}], "reasoning": "B"},
        {"messages": [USER, ANSWER], "reasoning": True},
    ],
)
def test_thoughts_that_are_no_text_or_two_are_refused(refused, columns):
    assert "data.ignore" in refused("messages", **columns).advice


def test_thoughts_in_a_column_do_not_say_of_which_of_two_answers(refused):
    refused("preference", prompt="Why?", chosen="So.", rejected="No.", reasoning="Hm.")


def test_a_rejected_answer_is_its_text_alone(refused):
    columns = {"prompt": "Why?", "chosen": [ANSWER], "rejected": [{**ANSWER, **CALL}]}
    assert refused("preference", **columns).got == "tool_calls"


@pytest.mark.parametrize(
    "turn",
    [{"role": "user", "content": None}, {"role": "user", "content": ""}, {"role": "tool"}]
    + [{"role": "assistant", "content": None}, {"role": "user", "content": {"text": "Hi"}}],
)
def test_a_turn_without_content_is_refused(refused, turn):
    assert "messages[1]" in refused("messages", messages=[USER, turn, USER, ANSWER]).problem


@pytest.mark.parametrize("mark", [{"weight": 1}, {"train": True}, {"loss": 1.0}, {"weight": None}])
def test_a_mark_that_an_answer_is_learnt_is_no_field(read, mark):
    turns = [{**USER, "weight": 0}, {**ANSWER, "weight": 0}, USER, {**ANSWER, **mark}]
    example = read("messages", messages=turns)
    assert not any(turn.more for turn in example.prompt) and not example.response_fields


@pytest.mark.parametrize(
    "turns",
    [
        [USER, {**ANSWER, "weight": 0}],
        [USER, {**ANSWER, "train": False, "weight": 1}],
        [USER, {**ANSWER, "weight": 0.5}],
        [USER, {**ANSWER, "loss": "yes"}],
        [{**USER, "train": True}, ANSWER],
    ],
)
def test_a_mark_that_cannot_be_honoured_is_refused(refused, turns):
    assert "data.ignore" in refused("messages", messages=turns).advice


def test_sharegpts_turns_are_turns(read):
    speakers = {"system": "S", "human": "U", "gpt": "A", "tool": "T"}
    turns = [{"from": speaker, "value": text} for speaker, text in speakers.items()]
    assert [(m.role, m.content) for m in read("sharegpt", conversations=turns).prompt] == [
        ("system", "S"), ("user", "U"), ("assistant", "A"), ("tool", "T"),
    ]  # fmt: skip
    assert read("sharegpt", conversations=[USER, ANSWER]).response == "So."


@pytest.mark.parametrize("value", ['{"name": "f", "arguments": {}}', '[{"name": "f"}]'])
def test_a_function_call_of_sharegpt_is_a_call_of_a_tool(read, value):
    turns = [{"from": "human", "value": "Why?"}, {"from": "function_call", "value": value}]
    example = read("sharegpt", conversations=turns)
    (call,) = example.response_fields["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "f")


@pytest.mark.parametrize(
    ("turn", "suggestion"),
    [
        ({"from": "humann", "value": "Hi"}, "human"),
        ({"from": "function_call", "value": "f()"}, None),
        ({"from": "human", "value": "Hi", "role": "user"}, None),
        ({"from": "human"}, None),
        ({"value": "Hi"}, None),
        ("Hi", None),
    ],
)
def test_other_turns_of_sharegpt_are_refused(refused, turn, suggestion):
    error = refused("sharegpt", conversations=[turn, {"from": "gpt", "value": "So."}])
    assert error.suggestion == suggestion


def test_a_turn_to_answer_is_the_users_or_a_tools(read, refused):
    assert read("messages", messages=[USER, CALL, RESULT]).response is None
    for turns in ([RESULT, ANSWER], [{"role": "developer", "content": "Be brief."}, ANSWER]):
        refused("messages", messages=turns)


def test_what_the_user_goes_on_with_is_a_column_of_texts(read):
    example = read("messages", messages=[USER], next_turns=["And?", "Then?"], response="So.")
    assert example.next_turns == ("And?", "Then?")
    assert (example.prompt, example.response) == ((Message("user", "Why?"),), "So.")
    for none in (None, []):
        assert read("ifeval", prompt="Why?", next_turns=none).next_turns == ()


@pytest.mark.parametrize("turns", ["And?", ["And?", " "], [USER], 3])
def test_other_next_turns_are_refused(refused, turns):
    assert "'next_turns' must be a list" in str(refused("ifeval", prompt="Why?", next_turns=turns))
