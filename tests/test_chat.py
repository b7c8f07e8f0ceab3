"""Messages to ids and back, through the tokenizer's own template."""

import copy

import pytest

from uniapl_cli.chat import Chat, load_tokenizer
from uniapl_cli.errors import ModelError
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


@pytest.mark.parametrize(
    ("attribute", "message"), [("chat_template", "no chat template"), ("eos_token", "no eos token")]
)
def test_a_tokenizer_that_cannot_chat_is_refused(tokenizer, attribute, message):
    lacking = copy.deepcopy(tokenizer)
    setattr(lacking, attribute, None)
    with pytest.raises(ModelError, match=message):
        Chat(lacking)


@pytest.mark.parametrize("content", [None, "{", "{}", '{"added_tokens": []}'])
def test_a_folder_without_a_tokenizer_is_refused(tmp_path, content):
    if content:
        (tmp_path / "tokenizer.json").write_text(content)
        (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    with pytest.raises(ModelError, match="no tokenizer in"):
        load_tokenizer(tmp_path)


def test_an_empty_think_block_is_not_said_twice(tokenizer):
    chat = Chat(tokenizer)
    assert chat.response_ids(EMPTY + "Yes.") == chat.response_ids("Yes.")
    assert chat.response_ids("<think></think>Yes.") == chat.response_ids("Yes.")
    thoughts = "<think>\nHm.\n</think>\n\nYes."
    assert chat.text(chat.response_ids(thoughts)) == thoughts
    thinking = Chat(tokenizer, thinking=True)
    assert thinking.text(thinking.response_ids(EMPTY + "Yes.")) == EMPTY + "Yes."
