"""The last box of a text, whatever stands around it."""

import time

import pytest

from uniapl_cli.boxed import ASKED, ask, last_boxed


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("so \\boxed{4}.", "4"),
        ("first \\boxed{3}, then \\boxed{4}", "4"),
        ("\\boxed{\\frac{1}{2}} and \\boxed{unclosed", "\\frac{1}{2}"),
        ("\\boxed{\\left\\{ x \\right.}", "\\left\\{ x \\right."),
        ("\\boxed{a\\\\{b}}", "a\\\\{b}"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("{ \\boxed{ 7 } {", "7"),
        ("\\fboxed{x} \\boxed 9$ or", "9"),
        ("$\\boxed 4$", "4"),
        ("\\fbox{1}", "1"),
        ("within \\boxed{}: \\boxed{4}. As asked, in \\boxed{ }.", "4"),
        ("\\boxed{} 4", None),
        ("boxed{4} and \\boxed", None),
        ("", None),
    ],
)
def test_the_last_balanced_box_counts(text, box):
    assert last_boxed(text) == box


@pytest.mark.parametrize(
    "text",
    [
        *("\\boxed{ " * 70_000 + " }" * 70_000, "\\boxed{ }" * 100_000),
        "\\boxed{" * 140_000,
        "{" * 10**6,
        "\\boxed" + " " * 10**6,
        "\\boxed{" + "9" * 10**6 + "}",
    ],
)
def test_a_megabyte_takes_no_second(text):
    start = time.process_time()
    last_boxed(text)
    assert time.process_time() - start < 1


def test_a_question_asks_for_a_box():
    assert ask(" 1 + 1? \n") == f"1 + 1?\n{ASKED}" and "\\boxed{}" in ASKED
