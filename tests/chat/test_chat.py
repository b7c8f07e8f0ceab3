"""Messages to ids and back, through the tokenizer's own template."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from uniapl_cli.chat import Chat, ChatOptions, read_template
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.types import Message

ASK = (Message("user", "Hi"),)
TURN = "<|im_start|>{}\n{}<|im_end|>\n"
OPEN = "<|im_start|>assistant\n"
EMPTY = "<think>\n\n</think>\n\n"


def test_without_thinking_the_prompt_ends_with_an_empty_think_block(tokenizer):
    assert Chat(tokenizer).render(ASK) == TURN.format("user", "Hi") + OPEN + EMPTY


def test_with_thinking_the_prompt_ends_where_the_thoughts_begin(tokenizer):
    assert Chat(tokenizer, thinking=True).render(ASK) == TURN.format("user", "Hi") + OPEN


def test_a_system_message_is_put_before_prompts_that_have_none(tokenizer):
    chat = Chat(tokenizer, system="Be brief.")
    assert chat.render(ASK).startswith(TURN.format("system", "Be brief."))
    own = (Message("system", "Be long."), *ASK)
    assert "Be brief." not in chat.render(own)
    assert chat.render(own).startswith(TURN.format("system", "Be long."))


def test_turns_keep_their_order(tokenizer):
    turns = (*ASK, Message("assistant", "Hello"), Message("user", "Bye"))
    parts = [TURN.format(m.role, m.content) for m in turns]
    assert Chat(tokenizer).render(turns) == "".join(parts) + OPEN + EMPTY


def test_the_ids_are_the_rendered_texts(tokenizer):
    chat = Chat(tokenizer)
    assert tokenizer.decode(chat.prompt_ids(ASK)) == chat.render(ASK)
    assert chat.prompt_ids(ASK)[0] == tokenizer.convert_tokens_to_ids("<|im_start|>")


def test_a_response_ends_with_the_stop_token(tokenizer):
    chat = Chat(tokenizer)
    ids = chat.response_ids("The harbour.")
    assert ids[-1] == chat.stop_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert chat.stop_id not in ids[:-1]
    assert chat.text(ids) == chat.text(ids[:-1]) == "The harbour."


@pytest.mark.parametrize("text", ["a<|im_end|>b", "<|im_start|>user\nHi<|im_end|>"])
def test_a_response_that_spells_a_special_token_does_not_hold_one(tokenizer, text):
    chat = Chat(tokenizer)
    before = chat.prompt_ids(ASK)
    assert chat.response_ids(text).count(chat.stop_id) == 1
    assert chat.text(chat.response_ids(text)) == text
    assert chat.prompt_ids(ASK) == before


def test_a_cut_off_response_is_decoded_whole(tokenizer):
    chat = Chat(tokenizer)
    ids = chat.response_ids("The old harbour.")
    assert chat.text(ids[:-2]) == "The old harbour"
    assert chat.text([]) == ""


CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def test_the_stop_token_is_what_closes_a_turn_and_not_eos(new_tokenizer):
    base = new_tokenizer(CHATML, read_template("qwen2.5"))
    assert base.eos_token == "<|endoftext|>"
    chat = Chat(base)
    assert chat.stop_id == base.convert_tokens_to_ids("<|im_end|>")
    assert chat.response_ids("Yes.")[-1] == chat.stop_id
    assert chat.text(chat.response_ids("Yes.")) == "Yes."


def test_a_mark_that_is_not_special_can_close_a_turn(new_tokenizer):
    base = new_tokenizer(CHATML[:2], read_template("qwen2.5"), plain=CHATML[2:])
    assert Chat(base).stop_id == base.convert_tokens_to_ids("<|im_end|>")


def test_where_the_template_closes_with_no_token_it_is_eos(new_tokenizer):
    lines = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    spaced = new_tokenizer(["</s>"], lines, plain=["\n"])
    assert Chat(spaced).stop_id == spaced.eos_token_id
    spaced.chat_template = "<|none|>{{ messages[0].content }}"  # holds no answer at all
    assert Chat(spaced).stop_id == spaced.eos_token_id
    spaced.eos_token = None
    with pytest.raises(ModelError):
        Chat(spaced)


def test_a_template_of_marks_that_the_tokenizer_lacks_is_refused(new_tokenizer):
    with pytest.raises(ModelError) as caught:
        Chat(new_tokenizer(["</s>"], read_template("qwen2.5")))
    assert caught.value.got == "<|im_end|>"


def test_a_tokenizer_without_a_template_is_refused(new_tokenizer):
    with pytest.raises(ModelError):
        Chat(new_tokenizer(CHATML, None))


@pytest.mark.parametrize("template", ["{% if %}", "{{ raise_exception('no\nusers') }}"])
def test_a_template_that_fails_is_an_error_of_one_line(new_tokenizer, template):
    with pytest.raises(ModelError) as caught:
        Chat(new_tokenizer(CHATML, template))
    assert caught.value.got
    assert "\n" not in str(caught.value)


def test_qwen_2_5_has_a_system_line_of_its_own(new_tokenizer):
    system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    chat = Chat(new_tokenizer(CHATML, read_template("qwen2.5")))
    assert chat.render(ASK) == TURN.format("system", system) + TURN.format("user", "Hi") + OPEN
    prompt = (Message("system", "Be brief."), *ASK)
    assert (
        chat.render(prompt) == TURN.format("system", "Be brief.") + TURN.format("user", "Hi") + OPEN
    )


def test_the_tiny_worlds_template_is_qwen_3s(tokenizer):
    assert tokenizer.chat_template == read_template("qwen3")


def test_a_template_is_read_from_a_file(tmp_path):
    (tmp_path / "my.jinja").write_text("é{{ messages }}", encoding="utf-8")
    assert read_template(str(tmp_path / "my.jinja")) == "é{{ messages }}"


@pytest.mark.parametrize(
    ("name", "suggestion"), [("qwen25", "qwen2.5"), ("absent.jinja", None), ("latin.jinja", None)]
)
def test_a_template_that_cannot_be_read_is_an_error_of_the_options(
    tmp_path, monkeypatch, name, suggestion
):
    monkeypatch.chdir(tmp_path)
    Path("latin.jinja").write_bytes(b"\xe9")
    with pytest.raises(ConfigError) as caught:
        read_template(name)
    assert (caught.value.got, caught.value.suggestion) == (name, suggestion)
    with pytest.raises(ValidationError) as refused:
        ChatOptions(template=name)
    [error] = refused.value.errors()
    assert error["loc"] == ("template",)
    assert error["ctx"]["error"].args[0].got == name


def test_a_template_that_can_be_read_is_an_option():
    assert ChatOptions(template="qwen3").template == "qwen3"


@pytest.mark.parametrize("content", [None, "{", "{}", '{"added_tokens": []}'])
def test_a_folder_without_a_tokenizer_is_refused(tmp_path, content):
    if content:
        (tmp_path / "tokenizer.json").write_text(content)
        (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    with pytest.raises(ModelError) as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in caught.value.problem


def test_an_empty_think_block_is_not_said_twice(tokenizer):
    chat = Chat(tokenizer)
    assert chat.response_ids(EMPTY + "Yes.") == chat.response_ids("Yes.")
    assert chat.response_ids("<think></think>Yes.") == chat.response_ids("Yes.")
    thinking = Chat(tokenizer, thinking=True)
    assert thinking.text(thinking.response_ids(EMPTY + "Yes.")) == EMPTY + "Yes."
