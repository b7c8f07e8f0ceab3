"""What each reader takes out of a response that thinks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.chat.thinking import (
    strip_empty_thinking,
    strip_first_thinking,
    strip_thinking,
    strip_wrapping,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\n\n</think>\n\nHello ", "Hello "),
        (" <think></think>Hello", "Hello"),
        ("<think>a</think> b", "<think>a</think> b"),
        ("Hello <think></think>", "Hello <think></think>"),
    ],
)
def test_strip_empty_thinking(text, answer):
    assert strip_empty_thinking(text) == answer


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
        ("<think>\n\n</think>\n\nHello ", "Hello "),
        ("<think>a</think>b</think> c", "c"),
        ("no thinking", "no thinking"),
        (" <think>cut off", " <think>cut off"),
        ("<think>all</think>", ""),
    ],
)
def test_strip_thinking(text, answer):
    assert strip_thinking(text) == answer


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
