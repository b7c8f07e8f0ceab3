"""A response stands where the template has it, with its thoughts in one whole block."""

import pytest
from chat_templates import MARKS, chat
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, trainers
from transformers import PreTrainedTokenizerFast

from uniapl_cli.chat import Chat
from uniapl_cli.chat.thinking import CLOSE, OPEN, read_thoughts, with_thoughts
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Message

ASK = (Message("user", "What is 7 x 8?"),)
TALK = (*ASK, Message("assistant", "56."), Message("user", "And 8 x 8?"))
THOUGHTS = with_thoughts("28 and 28.", "56.")
EMPTY = f"{OPEN}\n\n{CLOSE}\n\n"
WORDS = st.text(alphabet="ab .\n<|>é", min_size=1)

# (template, thinking) -> what is learnt of "56.", and of "56." with thoughts.
LEARNT = {
    ("plain", False): ("56.", "56."),
    ("plain", True): ("56.", THOUGHTS),
    ("qwen3", False): ("56.", "56."),
    ("qwen3", True): (f"{EMPTY}56.", THOUGHTS),
    ("opens_think", False): (f"\n{CLOSE}\n\n56.", f"\n{CLOSE}\n\n56."),
    ("opens_think", True): (f"\n{CLOSE}\n\n56.", f"28 and 28.\n{CLOSE}\n\n56."),
    ("header", False): ("<|channel|>final<|message|>56.", "<|channel|>final<|message|>56."),
    ("header", True): (
        "<|channel|>final<|message|>56.",
        "<|channel|>analysis<|message|>28 and 28.<|end|><|start|>assistant"
        "<|channel|>final<|message|>56.",
    ),
    ("no_system", False): ("56.", "56."),
    ("tools", True): ("56.", THOUGHTS),
}


def learnt(chat, response):
    """The text of the tokens with loss, without the stop token."""
    *ids, stop = chat.response_ids(response)
    assert stop == chat.stop_id
    return chat.tokenizer.decode(ids)


@pytest.mark.parametrize(("case", "expected"), LEARNT.items(), ids=lambda case: str(case)[:30])
def test_what_is_learnt(case, expected):
    name, thinking = case
    under = chat(name, thinking=thinking)
    assert (learnt(under, "56."), learnt(under, THOUGHTS)) == expected


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize(
    "response", ["56.", THOUGHTS, EMPTY + "56.", "28 and 28.\n</think>\n\n56."]
)
@pytest.mark.parametrize("name", MARKS)
def test_a_block_is_opened_once_and_closed_once(name, thinking, response):
    under = chat(name, thinking=thinking)
    whole = under.render(ASK) + learnt(under, response)
    assert whole.count(OPEN) == whole.count(CLOSE) <= 1
    assert whole.rpartition(CLOSE)[2].endswith("56.")
    assert whole.find(OPEN) <= whole.find(CLOSE)


@pytest.mark.parametrize("name", [name for name in MARKS if name != "opens_think"])
@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("prompt", [ASK, TALK])
def test_it_is_what_the_template_makes_of_the_whole_conversation(name, thinking, prompt):
    under = chat(name, thinking=thinking, date="2026-07-01")
    turns = [{"role": turn.role, "content": turn.content} for turn in prompt]
    turns.append({"role": "assistant", "content": "56."})
    whole = under.template.render(turns, generate=False)
    stop = under.tokenizer.decode([under.stop_id])
    assert whole.rstrip() == f"{under.render(prompt)}{learnt(under, '56.')}{stop}"


@pytest.mark.parametrize("name", MARKS)
@settings(deadline=None)
@given(reasoning=WORDS, answer=WORDS)
def test_what_was_learnt_reads_as_the_row(name, reasoning, answer):
    under = chat(name, thinking=True)
    text = under.text(under.response_ids(with_thoughts(reasoning, answer)))
    assert read_thoughts(text) == read_thoughts(with_thoughts(reasoning, answer))
    assert read_thoughts(under.text(under.response_ids(answer))).answer.strip() == answer.strip()


@pytest.mark.parametrize("name", MARKS)
def test_a_response_that_is_cut_in_its_thoughts_has_no_answer(name):
    under = chat(name, thinking=True)
    for text in (f"{OPEN}\n28 and", THOUGHTS):
        ids = under.response_ids(text)
        cut = under.text(ids[: len(under.response_ids(f"{OPEN}\n28 and")) - 1])
        assert read_thoughts(cut) == read_thoughts(f"{OPEN}\n28 and")


@pytest.mark.parametrize("name", ["qwen3", "opens_think"])
def test_think_marks_that_are_special_are_tokens(name):
    special = chat(name, special_thoughts=True, thinking=True)
    usual = chat(name, thinking=True)
    assert len(special.response_ids(THOUGHTS)) == len(usual.response_ids(THOUGHTS))
    close = special.tokenizer.convert_tokens_to_ids(CLOSE)
    assert special.response_ids(THOUGHTS).count(close) == 1
    turns = (*ASK, Message("assistant", THOUGHTS), *ASK)
    assert close not in special.prompt_ids([Message("user", f"Say {CLOSE}.")])
    assert special.tokenizer.decode(special.prompt_ids(turns)) == special.render(turns)


FOREIGN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.thinking %}[THINK]{{ m.thinking }}"
    "[/THINK]{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\nPROMPT{% endif %}"
)


def foreign(new_tokenizer, prompt, *, thinking):
    special = ("<|im_end|>", "<|im_start|>", "[THINK]", "[/THINK]")
    return Chat(new_tokenizer(special, FOREIGN.replace("PROMPT", prompt)), thinking)


@pytest.mark.parametrize("prompt", ["", "[THINK]"])
def test_thoughts_have_the_templates_own_marks(new_tokenizer, prompt):
    under = foreign(new_tokenizer, prompt, thinking=True)
    whole = "[THINK]28 and 28.[/THINK]56."
    assert prompt + learnt(under, THOUGHTS) == whole
    ids = under.response_ids(THOUGHTS)
    assert read_thoughts(under.text(ids)) == read_thoughts(THOUGHTS)
    cut = len(under.response_ids(f"{OPEN}\n28 and")) - 1
    assert read_thoughts(under.text(ids[:cut])) == read_thoughts(f"{OPEN}\n28 and")
    plain = prompt + learnt(under, "56.")
    assert plain == ("[THINK][/THINK]56." if prompt else "56.")
    assert read_thoughts(under.text(under.response_ids("56."))).answer == "56."


def test_a_prompt_that_ends_with_what_no_answer_follows_is_refused(new_tokenizer):
    with pytest.raises(ModelError) as caught:
        foreign(new_tokenizer, "[ANALYSIS]", thinking=False)
    assert caught.value.got == "[ANALYSIS]"
    assert foreign(new_tokenizer, "\n", thinking=False).lead == ""


def test_of_several_templates_the_one_for_tools_is_taken_where_there_are_tools(new_tokenizer):
    plain = FOREIGN.replace("PROMPT", "")
    tokenizer = new_tokenizer(("<|im_end|>", "<|im_start|>"), plain)
    offering = "{% for t in tools %}{{ t | tojson }}{% endfor %}" + plain
    tokenizer.chat_template = {"default": plain, "tool_use": offering}
    under = Chat(tokenizer)
    assert "tides" in under.render(ASK, [{"name": "tides"}])
    assert "tides" not in under.render(ASK)


def test_a_space_that_the_tokenizer_puts_itself_is_not_doubled():
    """As in Llama 2: every text gets a space before it, and [/INST] is no token."""
    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    trainer = trainers.BpeTrainer(vocab_size=1, show_progress=False, special_tokens=["</s>"])
    core.train_from_iterator(["[INST] Ready? [/INST] Yes.", "56."], trainer)
    spaced = (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    )
    under = Chat(
        PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", chat_template=spaced)
    )
    prompt = [Message("user", "Ready?")]
    ids = under.prompt_ids(prompt) + under.response_ids("Yes.")
    assert ids == under.tokenizer.encode("[INST] Ready? [/INST] Yes.</s>", add_special_tokens=False)
