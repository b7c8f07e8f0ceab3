"""What each reader takes out of a response that thinks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.chat.thinking import (
    Thoughts,
    read_thoughts,
    strip_first_thinking,
    strip_thinking,
    strip_wrapping,
    with_thoughts,
)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>\n6 * 7\n</think>\n\n42 \n", "6 * 7", "42"),
        ("6 * 7\n</think>\n\n42", "6 * 7", "42"),
        ("<think>\n\n</think>\n\n42", "", "42"),
        ("<think>a</think>b</think> c", "a</think>b", "c"),
        (" <think>cut off", "cut off", ""),
        ("<think>all</think>", "all", ""),
        ("a mention of <think> in text ", None, "a mention of <think> in text "),
    ],
)
def test_read_thoughts(text, reasoning, answer):
    assert read_thoughts(text) == Thoughts(reasoning, answer)
    assert strip_thinking(text) == answer


@given(st.text().filter(lambda t: "think>" not in t), st.text().filter(lambda t: "think>" not in t))
def test_thoughts_that_are_joined_are_read_back(reasoning, answer):
    read = read_thoughts(with_thoughts(reasoning, answer))
    assert read == Thoughts(reasoning.strip(), answer.strip())
    assert with_thoughts(None, answer) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>6 * 7</think>\n\n42", "42"),
        ("Well. <think>a\nb</think>  42.\n", "42."),
        ("<think>never closed", "<think>never closed"),
        ("stray </think> 42", "stray </think> 42"),
        ("<think>a</think> x <think>b</think> y", "x <think>b</think> y"),
        ("<think>only</think>\n", ""),
    ],
)
def test_strip_first_thinking(text, answer):
    assert strip_first_thinking(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\n\n</think>\n\nHello ", "Hello"),
        ("<think>a</think>b</think> c", "c"),
        ("<|assistant|>\nHello", "Hello"),
        ("<think>a</think><|assistant|> <answer>\nHello\n</answer>\n", "Hello"),
        ("<answer>a</answer> b", "a b"),
        ("<think>cut off", "<think>cut off"),
        ("<think>all</think>", ""),
    ],
)
def test_strip_wrapping(text, answer):
    assert strip_wrapping(text) == answer


@given(st.text())
def test_what_is_not_wrapped_is_only_stripped(text):
    assert strip_wrapping(text) == text.strip()
