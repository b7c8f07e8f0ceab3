"""Whole turns, tools and the date go to the template; what it leaves out is an error."""

from datetime import date

import pytest
from chat_templates import MARKS, chat

from uniapl_cli.chat import Chat, turns
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Message

TOOL = {
    "type": "function",
    "function": {
        "name": "tide_table",
        "description": "Tides of a harbour",
        "parameters": {"type": "object", "properties": {"harbour": {"type": "string"}}},
    },
}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "tide_table", "arguments": '{"harbour": "Brest"}'},
}
ASK = (Message("user", "When is high water?"),)
REPLIED = (
    *ASK,
    Message("assistant", "", {"tool_calls": [CALL]}),
    Message("tool", "05:12", {"tool_call_id": "c1", "name": "tide_table"}),
)
WITH_TOOLS = ("qwen3", "tools")


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_tools_calls_and_replies_are_rendered(name):
    text = chat(name).render(REPLIED, [TOOL])
    for part in ("Tides of a harbour", '"harbour": "Brest"', "tide_table", "05:12"):
        assert part in text


@pytest.mark.parametrize("name", [name for name in MARKS if name not in WITH_TOOLS])
@pytest.mark.parametrize("prompt", [ASK, REPLIED])
def test_a_template_without_tools_refuses_them(name, prompt):
    with pytest.raises(ModelError):
        chat(name).render(prompt, [TOOL])


@pytest.mark.parametrize("name", MARKS)
@pytest.mark.parametrize("field", ["tool_calls", "name", "images", "weight", "whatever"])
@pytest.mark.parametrize("turn", [0, 1, 2])
def test_a_field_of_any_turn_that_the_template_does_not_write_is_named(name, field, turn):
    value = {"tool_calls": [{"function": {"name": "lost", "arguments": {"in": "vain"}}}]}
    talk = [Message("user", "Hi"), Message("assistant", "Hello."), Message("user", "Go on.")]
    talk[turn] = Message(talk[turn].role, talk[turn].content, {field: value.get(field, 0.5)})
    if field == "tool_calls" and (name == "tools" or (name == "qwen3" and turn == 1)):
        return  # it is written
    with pytest.raises(ModelError) as caught:
        chat(name).render(talk)
    assert field in caught.value.problem
    assert f"turn {turn + 1}" in caught.value.problem


@pytest.mark.parametrize("field", ["reasoning_content", "thinking", "reasoning"])
def test_thoughts_of_earlier_turns_may_be_left_out(field):
    talk = [*ASK, Message("assistant", "05:12", {field: "It is spring tide."}), *ASK]
    assert "spring" not in chat("qwen3").render(talk)


def test_a_turn_whose_text_the_template_leaves_out_is_refused(new_tokenizer):
    deaf = (
        "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    under = Chat(new_tokenizer(("<|im_end|>", "<|im_start|>"), deaf))
    assert under.render(ASK)
    with pytest.raises(ModelError) as caught:
        under.render([Message("system", "Be brief."), *ASK])
    assert caught.value.got == "Be brief."


def test_part_of_a_tool_that_the_template_leaves_out_is_refused(new_tokenizer):
    names_only = (
        "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    with pytest.raises(ModelError) as caught:
        Chat(new_tokenizer(("<|im_end|>", "<|im_start|>"), names_only)).render(ASK, [TOOL])
    assert caught.value.got == "Tides of a harbour"


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_a_response_with_tool_calls_is_what_the_conversation_ends_with(name):
    under = chat(name)
    *ids, stop = under.turn_ids(ASK, "", {"tool_calls": [CALL]}, [TOOL])
    assert stop == under.stop_id
    asked = [{"role": "user", "content": ASK[0].content}]
    answer = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    whole = under.template.render([*asked, answer], generate=False, tools=[TOOL])
    learnt = under.tokenizer.decode(ids)
    assert "tide_table" in learnt
    assert "Brest" in learnt
    assert whole.rstrip().endswith(learnt + under.tokenizer.decode([stop]))


@pytest.mark.parametrize("name", [name for name in MARKS if name not in WITH_TOOLS])
def test_a_response_with_calls_that_are_not_written_is_refused(name):
    with pytest.raises(ModelError) as caught:
        chat(name).turn_ids(ASK, "", {"tool_calls": [CALL]})
    assert "tool_calls" in caught.value.problem


@pytest.mark.parametrize(
    "template",
    [
        "{% for t in tools %}{{ t.name }}{% endfor %}{{ messages[0].content }}",
        "{{ raise_exception('no') }}",
        "{{ 1 // 0 }}{{ messages[0].content }}",
        "{% for i in range(10 ** 10) %}{% endfor %}{{ messages[0].content }}",
        "{{ messages[0].content.format_map }}{{ messages[0]['content'] + 1 }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ ''.__class__.__mro__ }}{{ messages[0].nothing.more }}",
    ],
)
def test_whatever_a_template_raises_is_one_line(new_tokenizer, template):
    with pytest.raises(ModelError) as caught:
        Chat(new_tokenizer(("<|im_end|>",), template))
    assert "\n" not in str(caught.value)


def test_the_date_of_a_run_is_fixed():
    dated = chat("tools", date="2026-02-03")
    assert "Today Date: 03 Feb 2026" in dated.render(ASK)
    assert f"Today Date: {date.today():%d %b %Y}" in chat("tools").render(ASK)


@pytest.mark.parametrize(
    ("format", "expected"),
    [("%Y-%m-%d", "2026-02-03"), ("%B %-d, %Y", "February 3, 2026"), ("%A %H:%M", "Tuesday 00:00")],
)
def test_dates_are_written_as_strftime_does(new_tokenizer, format, expected):
    clock = f"{{% set f = '{format}' %}}{{{{ strftime_now(f) }}}}{{{{ messages[0].content }}}}"
    under = Chat(new_tokenizer(("<|im_end|>",), clock), date="2026-02-03")
    assert under.render(ASK) == expected + ASK[0].content


def test_a_system_message_is_not_put_before_a_developers():
    prompt = [Message("developer", "Be brief."), *ASK]
    assert [turn["role"] for turn in turns(prompt, "Be long.")] == ["developer", "user"]
    assert [turn["role"] for turn in turns(ASK, "Be long.")] == ["system", "user"]
    assert turns(REPLIED, None)[2] == {
        "role": "tool", "content": "05:12", "tool_call_id": "c1", "name": "tide_table",
    }  # fmt: skip


CALLING = (
    "{% for m in messages %}<|start|>{{ m.role }}{% for c in m.tool_calls or [] %} to={{ "
    "c.function.name }}<|message|>{{ ARGUMENTS }}<|call|>{% endfor %}{% if not m.tool_calls %}"
    "<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
CALLING_MARKS = ("<|end|>", "<|start|>", "<|message|>", "<|call|>")


@pytest.mark.parametrize(
    ("arguments", "learnt"),
    [
        ("c.function.arguments | tojson", '{"harbour": "Brest"}'),
        ("'json: ' + c.function.arguments", 'json: {"harbour": "Brest"}'),
    ],
)
@pytest.mark.parametrize("stored", ['{"harbour": "Brest"}', {"harbour": "Brest"}])
def test_arguments_are_spelt_as_the_template_takes_them(new_tokenizer, arguments, learnt, stored):
    under = Chat(new_tokenizer(CALLING_MARKS, CALLING.replace("ARGUMENTS", arguments)))
    call = {"id": "c1", "function": {"name": "tide_table", "arguments": stored}}
    ids = under.turn_ids(ASK, "", {"tool_calls": [call]})
    # Calls end with a token of their own here.
    assert under.tokenizer.decode(ids) == f" to=tide_table<|message|>{learnt}<|call|>"


@pytest.mark.parametrize("stored", ["", " ", "{}", {}])
def test_no_arguments_are_an_empty_mapping(stored):
    call = {"function": {"name": "tide_table", "arguments": stored}}
    under = chat("qwen3")
    text = under.tokenizer.decode(under.turn_ids(ASK, "", {"tool_calls": [call]}))
    assert '"arguments": {}}' in text


def test_an_argument_that_the_template_leaves_out_is_refused(new_tokenizer):
    under = Chat(new_tokenizer(CALLING_MARKS, CALLING.replace("ARGUMENTS", "'...'")))
    with pytest.raises(ModelError) as caught:
        under.turn_ids(ASK, "", {"tool_calls": [CALL]})
    assert caught.value.got == "Brest"


def test_templates_that_are_indented_for_reading_are_taken(new_tokenizer):
    indented = (
        "{% for m in messages %}\n    {{ m.role }}:\n    {{ m.content }}</s>\n{% endfor %}\n"
        "{% if add_generation_prompt %}\n    assistant:\n\n{% endif %}"
    )
    assert Chat(new_tokenizer(("</s>",), indented)).lead == ""
