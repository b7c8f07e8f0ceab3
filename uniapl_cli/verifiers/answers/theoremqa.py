"""answer:theoremqa, by the rule of TheoremQA's authors, which evaluates no text as code here.

Rule: TIGER-AI-Lab/TheoremQA: utils.py, number_utils.py. Two things are otherwise: what their LaTeX
parser and Python's `eval` compute, `arithmetic.py` does, in part; and "False" never equals 0, where
theirs depends on which rows were graded before.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from uniapl_cli.boxed import last_boxed
from uniapl_cli.types import Grade
from uniapl_cli.verifiers.answers import arithmetic
from uniapl_cli.verifiers.answers.plain import compared, short, unread
from uniapl_cli.verifiers.registry import verifiers

TOLERANCE = 0.04
OPTIONS = tuple(f"({letter})" for letter in "abcdef")
TRIGGERS = ("The answer is:", "The answer is", "the answer is")
_TRIGGER = re.compile("|".join(TRIGGERS))
_LAST = re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_UNIT = re.compile(r"(?:\s+|(?=\\(?:text|math)))(?:\D+|\S+)|\W*")
# What a number follows. Models that chat also set it in bold, in quotes or in a box.
_EQUALS = re.compile(r"=|≈|\\approx|\b(?:approximately|about)\b")
_AROUND = " \t*_`\"'"
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def _is_answer(answer: object) -> object:
    if isinstance(answer, str) and answer.lower() not in OPTIONS:
        raise ValueError(f"is none of {', '.join(OPTIONS)}")
    return answer


Answer = Annotated[
    bool | int | float | str | list[int] | list[float] | list[int | float],
    AfterValidator(_is_answer),
]


@verifiers.register("answer:theoremqa")
def theoremqa(response: str, *, answer: Answer) -> Grade:
    """What follows the last "The answer is" is right; numbers may differ by 4 %.

    A whole number is right if it is so when rounded. Lists in round brackets may be in any order.
    """
    said, behind_trigger = _said(response)
    lowered = said.lower()
    if any(word in lowered for word in ("yes", "true")):
        return _word("True", answer)
    if any(word in lowered for word in ("no", "false")):
        return _word("False", answer)
    if isinstance(answer, str):
        return _option(said, lowered, answer)
    if any(option in lowered for option in OPTIONS):
        return compared(False, said, answer)
    if not behind_trigger:
        numbers = _LAST.findall(said)
        said = numbers[-1] if numbers else ""
    if isinstance(answer, list):
        return _list(said, answer)
    return _number(said, answer)


def _said(response: str) -> tuple[str, bool]:
    """Return what follows the last trigger, or else the response; and whether there was one.

    Of a response that goes on with further problems, as of a model that only continues text, the
    first paragraph counts.
    """
    text = response.strip("\n")
    if any(text.count(trigger) > 1 for trigger in TRIGGERS):
        text = text.partition("\n\n")[0]
    parts = _TRIGGER.split(text)
    return parts[-1].strip("\n").rstrip(".").rstrip("/").strip(" "), len(parts) > 1


def _word(word: str, answer: object) -> Grade:
    return compared(isinstance(answer, bool) and word == str(answer), word, answer)


def _option(said: str, lowered: str, answer: str) -> Grade:
    if not any(option in lowered for option in OPTIONS):
        return unread(f"there is no option in '{short(said)}'")
    return compared(answer.lower() in lowered, said, answer)


def _number(said: str, answer: float) -> Grade:
    if isinstance(answer, bool):
        return unread(f"'{short(said)}' is neither true nor false")
    found = _value(said)
    if found is None:
        return unread(f"there is no number in '{short(said)}'")
    return compared(_close(found, answer), f"{found:.12g}", answer)


def _list(said: str, answer: list[int] | list[float]) -> Grade:
    """Compare lists: in round brackets as sets of numbers about equal, else exactly."""
    text = _first_line(said)
    items = _items(text)
    if items is None:
        return unread(f"there is no list of numbers in '{short(said)}'")
    if text.startswith("("):
        pairs = zip(sorted(items), sorted(answer), strict=len(items) == len(answer))
        right = len(items) == len(answer) and all(_close(*pair) for pair in pairs)
    else:
        right = items == answer
    return compared(right, text, answer)


def _items(text: str) -> list[float] | None:
    """Read "(1, 2.5)", "[1,2]", "{1, 2}" or "1, 2"."""
    text = text.replace("\\{", "{").replace("\\}", "}")
    if text[:1] in _BRACKETS and text.endswith(_BRACKETS[text[0]]):
        text = text[1:-1]
    values = [arithmetic.value(arithmetic.rewrite(part)) for part in text.split(",")]
    found = [value for value in values if value is not None]
    return found if len(found) == len(values) else None


def _value(said: str) -> float | None:
    """Return a number, a unit behind it aside; of a list the first one."""
    text = _THOUSANDS.sub("", _first_line(said))
    if items := _items(text):
        return items[0]
    found = arithmetic.leading(text)
    return found[0] if found and _UNIT.fullmatch(found[1]) else None


def _first_line(said: str) -> str:
    """Return the first line behind the last `=`, without LaTeX and what sets it off."""
    said = last_boxed(said.partition("\n")[0]) or said
    line = _EQUALS.split(said)[-1].strip(_AROUND + "\n").partition("\n")[0]
    line = line[: 4 * arithmetic.LONGEST].lstrip(_AROUND).rstrip(_AROUND + ".")
    return arithmetic.rewrite(line)


def _close(found: float, answer: float) -> bool:
    if isinstance(answer, int):
        return round(found) == answer
    return abs(found - answer) <= abs(answer) * TOLERANCE
