"""Which option a response chooses."""

import json
import time
from pathlib import Path

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers import Case, Judge, constraint
from uniapl_cli.verifiers.answers.letters import (
    announced,
    chinese,
    cmmlu,
    first_level,
    three_levels,
)

MMLU_PRO = Path(__file__).parents[3].parent / "shared" / "data" / "mmlu_pro"


@pytest.mark.parametrize(
    "text",
    [
        "Answer: B",
        "answer: b",
        "ANSWER : B.",
        "**Answer:** B",
        "**Answer: B**",
        "**Answer**: (B)",
        "Answer: **B) the second**",
        "Answer: $B$",
        "Answer: $B",
        r"Answer: \boxed{B}",
        r"Answer: $\boxed{\text{B}}$",
        r"Answer: \(\mathrm{B}\)",
        "Final answer: [B]",
        "Answer： Ｂ",
        "Answer: B, as the sum is even",
        "Answer: A\nNo, that is wrong.\nAnswer: B",
        "Answer: B\nAnswer: unclear",
        "Answer: B\r\n",
        "Answer:\nB",
        "**Answer:**\n\n**B) the second**",
        "### Answer:\r\n$\\boxed{B}$\n",
        "Answer: B\n\nAnswer:\nA good one is hard to find",
    ],
)
def test_the_last_announced_letter_is_the_answer(text):
    assert announced(text, "ABCD") == "B"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "B",
        "The answer is B",
        "Answer: An even number",
        "Answer: Both",
        "Answer: B12",
        "Answer: C-terminal",
        "Answer: D's",
        "Answer: a good question",
        "Answer: E",
        "Answers: B",
        "noanswer: B",
        "Answer:\n",
        "Answer:\nb",
        "Answer:\n\n\nB",
        "Answer:\nA dog is what B says",
        "Answer: $LETTER",
        "Answer: 市B",
    ],
)
def test_a_letter_of_a_word_or_beyond_the_options_is_none(text):
    assert announced(text, "ABCD") is None


@pytest.mark.parametrize("letters", ["AB", "ABCDEFGHIJ"])
def test_the_letters_are_as_many_as_the_options(letters):
    for letter in "ABCDEFGHIJK":
        expected = letter if letter in letters else None
        assert announced(f"Answer: {letter}", letters) == expected
        assert chinese(f"答案：{letter}", letters) == expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (C). No, the answer is (D).", "C"),
        ("answer is C", "C"),
        ("Answer: C or answer: D\nanswer: E", "D"),
        ("nothing\nso\nAnswer:\n\n E", "E"),
        ("answer: Answer: B", "B"),
        ("It may be A, or B.\nNot C", "C"),
        ("It may be B, and BCD is none", "B"),
        ("Answer: K", None),
        ("", None),
    ],
)
def test_the_three_levels(text, letter):
    assert three_levels(text) == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("我选A。\n答案：B\n答案：C", "C"),
        ("**答案：** C", "C"),
        ("答案: （C）", "C"),
        ("答案：Ｃ", "C"),
        ("C。因为……", "C"),
        ("所以答案是C，不是A", "C"),
        ("答案选项为： C", "C"),
        ("应选择C", "C"),
        ("其中A是错的，选项C是正确", "C"),
        ("答案为第三项，也就是C", "C"),
        ("其中A和C都可能，但C当选，B不当选", "C"),
        ("其中B不对，\nA和C中C正确，D错", "C"),
        ("最后的结论是：C", "C"),
        ("只有C", "C"),
        ("也许A或C", None),
        ("Because of this", None),
        ("DNA和ATP", None),
        ("没有", None),
    ],
)
def test_chinese_phrases(text, letter):
    assert chinese(text, "ABCD") == letter


def _choice(**kwargs: object) -> Constraint:
    return constraint("answer:choice", kwargs)


def test_what_cannot_be_read_is_wrong_and_told_from_what_is_wrong():
    responses = ["Answer: B", "Answer: C", "I do not know", "<think>Answer: B</think>Answer: C"]
    verdicts = Judge()([Case(text, [_choice(answer="B")]) for text in responses])
    grades = [verdict.grades[0] for verdict in verdicts]
    assert [verdict.passed for verdict in verdicts] == [True, False, False, False]
    assert [grade.read for grade in grades if grade] == ["B", "C", None, "C"]
    assert [bool(grade.reason) for grade in grades if grade] == [False, True, True, True]
    assert [verdict.loose for verdict in verdicts] == [(v.passed,) for v in verdicts]


@pytest.mark.parametrize(
    ("kwargs", "key"),
    [
        ({"answer": "b"}, "answer"),
        ({"answer": "AB"}, "answer"),
        ({"answer": "B", "options": 1}, "options"),
        ({"answer": "B", "rule": "last"}, "rule"),
        ({"answer": "E"}, None),
        ({"answer": "C", "options": 2}, None),
        ({}, "answer"),
    ],
)
def test_an_answer_that_is_no_option_is_refused(kwargs, key):
    with pytest.raises(DataError) as error:
        _choice(**kwargs)
    assert error.value.key == key


HOSTILE = {
    "announcements": "Answer: " * 125_000,
    "openings": "Answer:" + "(" * 1_000_000,
    "openings and announcements": "Answer: ((((((((((((" * 50_000,
    "brackets": "[" * 100_000 + "]" * 100_000,
    "boxes": r"Answer: \boxed{" * 60_000,
    "letters": "A" * 1_000_000,
    "single letters": "A " * 500_000,
    "spaces": "answer:" + " " * 1_000_000,
    "stars": "**" * 500_000,
    "lines": "answer:\n" * 120_000,
    "phrases": "答案为" * 330_000,
    "letters before a phrase": "A、" * 300_000 + "\n正确",
    "phrases before a letter": "当选" * 300_000 + "A",
    "announcements in Chinese": "答案：" * 330_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_takes_linear_time(name):
    text = HOSTILE[name]
    start = time.process_time()
    for read in (announced, three_levels, chinese):
        read(text, "ABCDEFGHIJ")
    assert time.process_time() - start < 5


@pytest.mark.shared
@pytest.mark.skipif(not MMLU_PRO.is_dir(), reason="shared/data/mmlu_pro is not here")
def test_the_official_extraction_of_196_answers():
    rows = json.loads((MMLU_PRO / "model_outputs_sample.part1.json").read_text())
    assert sum(first_level(row["generated_text"]) == row["pred"] for row in rows) == 196
    read = {row["question_id"]: three_levels(row["generated_text"]) for row in rows}
    others = [row for row in rows if read[row["question_id"]] != row["pred"]]
    assert len(others) == 196 - 181
    assert {row["pred"] for row in others} == {None}
    right = {row["question_id"] for row in others if read[row["question_id"]] == row["answer"]}
    assert right == {10367, 876}


def test_the_steps_of_cmmlu_draw_no_letter():
    assert {cmmlu("这道题很难。") for _ in range(20)} == {None}
