"""What carries loss under each chat template: the response and what closes the turn."""

from dataclasses import dataclass

import pytest
import torch

from uniapl_cli.chat import Chat, read_template
from uniapl_cli.data.collate import pad_rows
from uniapl_cli.data.encode import encode
from uniapl_cli.tiny.tokenizer import THINK
from uniapl_cli.types import Example, Message

CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
PLAIN_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
LLAMA_TOKENS = (
    "<|end_of_text|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
EMPTY = "<think>\n\n</think>\n\n"


@dataclass(frozen=True)
class Case:
    """A template, its special tokens (eos, then bos), and what is to be found under it."""

    template: str
    special: tuple[str, ...]
    stop: str
    ending: str  # of the prompt
    thinking: bool = False


OPEN = "<|im_start|>assistant\n"
CASES = {
    "qwen2.5": Case(read_template("qwen2.5"), CHATML, "<|im_end|>", OPEN),
    "qwen3": Case(read_template("qwen3"), CHATML, "<|im_end|>", OPEN + EMPTY),
    "qwen3, thinking": Case(read_template("qwen3"), CHATML, "<|im_end|>", OPEN, thinking=True),
    "chatml": Case(PLAIN_CHATML, CHATML, "<|im_end|>", OPEN),
    "llama": Case(
        LLAMA,
        LLAMA_TOKENS,
        "<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    # The space before an answer is neither in the prompt nor in what people write: `chat.lead`.
    "mistral": Case(MISTRAL, ("</s>", "<s>", "[INST]", "[/INST]"), "</s>", "[/INST]"),
}
ASK = (Message("user", "Tell me about the harbour."),)
TALK = (Message("user", "Hi"), Message("assistant", "Hello."), Message("user", "And the boats?"))
ANSWERS = ("The harbour is old.\n\n- calm\n- grey", "Hm, <|im_end|> </s> <|eot_id|> [INST].", "")


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


@pytest.fixture
def chat(case, new_tokenizer):
    tokenizer = new_tokenizer(case.special, case.template, plain=THINK)
    return Chat(tokenizer, case.thinking)


def learnt(chat, prompt, response):
    """The ids before those with loss, and those with loss."""
    [item] = encode(chat, [Example(id="1", prompt=prompt, response=response)])
    tokens, mask = pad_rows([(item.prompt, item.response)], 0)
    first = int(mask[0].int().argmax()) + 1
    assert torch.equal(tokens[0, 1:][mask[0]], tokens[0, first:])
    return tokens[0, :first].tolist(), tokens[0, first:].tolist()


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("prompt", [ASK, TALK])
def test_what_carries_loss_is_the_response_and_the_stop_token(case, chat, prompt, answer):
    before, after = learnt(chat, prompt, answer)
    assert chat.tokenizer.decode(after) == chat.lead + answer + case.stop
    assert after[-1] == chat.tokenizer.convert_tokens_to_ids(case.stop)
    assert after.count(after[-1]) == 1
    assert chat.tokenizer.decode(before) == chat.render(prompt)
    assert chat.render(prompt).endswith(case.ending)


@pytest.mark.parametrize("prompt", [ASK, TALK])
def test_the_ids_are_those_of_the_whole_conversation(case, chat, prompt):
    answer = ANSWERS[0]
    turns = [{"role": m.role, "content": m.content} for m in prompt]
    turns.append({"role": "assistant", "content": answer})
    whole = chat.tokenizer.apply_chat_template(turns, tokenize=False, enable_thinking=chat.thinking)
    assert whole.startswith(chat.render(prompt) + chat.lead + answer)
    before, after = learnt(chat, prompt, answer)
    ids = chat.tokenizer.encode(whole, add_special_tokens=False)
    assert ids[: len(before + after)] == before + after
    assert not chat.tokenizer.decode(ids[len(before + after) :]).strip()


def test_thoughts_are_what_the_whole_conversation_holds(new_tokenizer):
    chat = Chat(new_tokenizer(CHATML, read_template("qwen3"), plain=THINK), thinking=True)
    thoughts = "<think>\nIt is old.\n</think>\n\nThe harbour."
    before, after = learnt(chat, ASK, thoughts)
    assert chat.tokenizer.decode(after) == thoughts + "<|im_end|>"
    turns = [{"role": "user", "content": ASK[0].content}]
    turns.append({"role": "assistant", "content": thoughts})
    whole = chat.tokenizer.apply_chat_template(turns, tokenize=False)
    ids = chat.tokenizer.encode(whole, add_special_tokens=False)
    assert ids[: len(before + after)] == before + after


@pytest.mark.parametrize("case", [c for c in CASES.values() if not c.thinking], indirect=True)
def test_an_empty_think_block_carries_no_loss_and_is_not_doubled(case, chat):
    plain, blocked = learnt(chat, ASK, "Yes."), learnt(chat, ASK, EMPTY + "Yes.")
    assert plain == blocked
    assert chat.tokenizer.convert_tokens_to_ids(THINK[0]) not in blocked[1]
    assert chat.tokenizer.decode(blocked[0]).count(THINK[0]) == int(EMPTY in case.ending)
