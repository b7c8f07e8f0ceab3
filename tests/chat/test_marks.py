"""Text that spells a control token stays text; marks that the template writes stay tokens."""

import inspect

import pytest
from chat_templates import MARKS, chat
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.chat.marks import END, START, Marks
from uniapl_cli.types import Message

# Texts put together from marks of all templates, halves of them, and what quoting itself uses.
PIECES = [
    *sorted({mark for special, plain in MARKS.values() for mark in (*special, *plain)}),
    *("<|", "|>", "<", "im_end|>", START, END, f"{START}{END}", " ", "\n", "a", "é 東京"),
]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join).filter(str.strip)


def controls(under):
    return [token for id, token in under.tokenizer.added_tokens_decoder.items() if token.special]


def count(under, ids):
    """How often control tokens are among ids."""
    special = {under.tokenizer.convert_tokens_to_ids(token.content) for token in controls(under)}
    return sum(id in special for id in ids)


@pytest.mark.parametrize("name", MARKS)
@settings(deadline=None)
@given(text=TEXTS)
def test_a_prompt_has_the_control_tokens_of_the_template_only(name, text):
    under = chat(name)
    ids, usual = under.prompt_ids([Message("user", text)]), under.prompt_ids([Message("user", "a")])
    assert count(under, ids) == count(under, usual)
    shown = under.tokenizer.decode(ids)
    assert shown == under.show(under.render([Message("user", text)]))
    assert text.strip() in shown


@pytest.mark.parametrize("name", MARKS)
@settings(deadline=None)
@given(text=TEXTS)
def test_a_response_has_the_control_tokens_of_the_template_only(name, text):
    under = chat(name, thinking=True)
    ids, usual = under.response_ids(text), under.response_ids("a")
    if "</think>" not in text and not text.strip().startswith("<think>"):
        assert count(under, ids) == count(under, usual)
        assert under.tokenizer.decode(ids[:-1]) == under.lead + text
    assert under.stop_id not in ids[:-1]


@pytest.mark.parametrize("name", MARKS)
@settings(deadline=None)
@given(text=TEXTS)
def test_earlier_answers_do_too(name, text):
    under = chat(name)
    talk = [Message("user", "Hi"), Message("assistant", text), Message("user", "Go on.")]
    usual = [Message("user", "Hi"), Message("assistant", "a"), Message("user", "Go on.")]
    if "think>" not in text:
        assert count(under, under.prompt_ids(talk)) == count(under, under.prompt_ids(usual))


@settings(deadline=None)
@given(text=TEXTS)
def test_what_is_quoted_is_read_back(text):
    marks = chat("qwen3").marks
    assert marks.unquote(marks.quote(text)) == text
    nested = {"a": [text, {"b": text}], "n": 1}
    assert marks.quote(nested) == {"a": [marks.quote(text), {"b": marks.quote(text)}], "n": 1}


def test_a_quote_that_a_template_has_cut_is_taken_off():
    marks = chat("qwen3").marks
    assert marks.unquote(f"a{START}<|im_").startswith("a<|im_")
    assert marks.encode([f"a{START}<|im_"]) == [
        [*marks.tokenizer.encode("a"), *marks.tokenizer.encode("<|im_")]
    ]


def test_a_mark_that_is_not_special_but_written_by_the_template_is_a_control_token(new_tokenizer):
    tokenizer = new_tokenizer(("<|end|>",), None, plain=("<|turn|>", "<|other|>"))
    marks = Marks(tokenizer, "<|turn|>user")
    turn, other = tokenizer.convert_tokens_to_ids(["<|turn|>", "<|other|>"])
    [ids] = marks.encode([marks.quote("<|turn|> <|other|>")])
    assert turn not in ids
    assert other in ids
    assert tokenizer.decode(ids) == "<|turn|> <|other|>"
    assert marks.encode(["<|turn|>"]) == [[turn]]


@pytest.mark.parametrize("name", ["plain", "opens_think", "tools", "header"])
@settings(deadline=None)
@given(text=TEXTS.filter(lambda text: START not in text and END not in text))
def test_the_ids_are_those_that_transformers_finds(name, text):
    under = chat(name, date="2026-07-01")
    apply = under.tokenizer.apply_chat_template
    if "sanitize_control_tokens" not in inspect.signature(apply).parameters:
        pytest.skip("this transformers does not tell text from control tokens")
    ids = apply(
        [{"role": "user", "content": text}],
        chat_template=under.template.dated(under.tokenizer.chat_template),
        add_generation_prompt=True,
        sanitize_control_tokens=True,
        return_dict=False,
        enable_thinking=False,
    )
    if "think>" not in text:
        assert under.prompt_ids([Message("user", text)]) == ids
