r"""Reads which option a response chooses. Each reader takes time linear in the response's length.

A reader takes the response and the letters that there are ("ABCD"), and returns one or None.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import takewhile

# What may stand between "Answer:" and its letter: stars, quotes, brackets, a LaTeX command.
_OPENING = r"(?:[ \t*_`\"'$<(\[{（【“]|\\boxed|\\text(?:bf)?|\\math(?:rm|bf)|\\[(\[]){0,12}"
# Behind a letter that is none of a longer word: "An", "B12", "C-terminal", "A's".
_END = r"(?![A-Za-z0-9À-ɏ]|[-'’][A-Za-z])"
# Full-width letters are read as the others.
_NARROW = {0xFF21 + index: chr(0x41 + index) for index in range(26)}
# The steps of MMLU-Pro know ten letters, however many options a question has.
_TEN = "ABCDEFGHIJ"


@cache
def _announced(word: str, letters: str) -> re.Pattern[str]:
    """Return the pattern of a word, a colon and a letter; in group 1, 2 or 3.

    A small letter must end its line, as "a" may be a word; a letter below its colon too, or stand
    before a point, a colon or a bracket.
    """
    small = letters.lower()
    below = rf"[ \t*_`\"']{{0,8}}(?:\r?\n[ \t]{{0,8}}){{1,2}}{_OPENING}"
    return re.compile(
        rf"(?<![A-Za-z]){word}[ \t*_`\"']{{0,8}}[:：]"
        rf"(?:{_OPENING}(?:([{letters}]){_END}|([{small}])(?=[^\w\n]{{0,8}}$))"
        rf"|{below}([{letters}])(?=[*]{{0,2}}[.):：]|[^\w\n]{{0,8}}$))",
        re.MULTILINE,
    )


def announced(text: str, letters: str, word: str = "(?i:answer)") -> str | None:
    r"""Return the letter of the last "Answer: X", where X may stand in stars, brackets, \boxed."""
    last = _last(_announced(word, letters).finditer(text.translate(_NARROW)))
    return (last[1] or last[3] or last[2].upper()) if last else None


def first_level(text: str) -> str | None:
    """Return the letter of the first "answer is (X)"; the bracket may be left out."""
    found = re.search(r"answer is \(?([A-J])", text)
    return found[1] if found else None


def three_levels(text: str, letters: str = _TEN) -> str | None:
    """Return the letter by the steps of MMLU-Pro (TIGER-AI-Lab/MMLU-Pro: evaluate_from_local.py).

    They are "answer is (X)", the first; "answer: X", the last of the first line that has one; a
    letter that stands alone, the last. Where none finds any the official code draws one; here it is
    None.
    """
    if (letter := first_level(text)) is not None:
        return letter
    second = re.compile(r"[aA]nswer:(?=\s*([A-J]))")
    if (first := second.search(text)) is not None:
        end = text.find("\n", first.start())
        in_its_line = takewhile(lambda one: end < 0 or one.start() < end, second.finditer(text))
        return (_last(in_its_line) or first)[1]
    last = _last(re.finditer(r"\b([A-J])\b", text))
    return last[1] if last else None


def _last(found: Iterable[re.Match[str]]) -> re.Match[str] | None:
    kept = deque(found, maxlen=1)
    return kept[0] if kept else None


def chinese(text: str, letters: str) -> str | None:
    """Return the letter of the last "答案：X", or else that of CMMLU's steps."""
    return announced(text, letters, "答案") or cmmlu(text, letters)


def cmmlu(text: str, letters: str = "ABCD") -> str | None:
    """Return the letter by the steps of CMMLU (haonan-li/CMMLU: src/mp_utils.py).

    They are a letter at the very beginning, then phrases in their order, then the only letter that
    occurs. Where none finds any the official code draws one; here it is None. Other than there, a
    letter beside a Latin letter or a digit is none ("Because"), and a colon may be either.
    """
    text = text.translate(_NARROW)
    for step in _steps(letters):
        if (letter := step(text)) is not None:
            return letter
    return None


Step = Callable[[str], str | None]


@cache
def _steps(letters: str) -> tuple[Step, ...]:
    letter = rf"(?<![A-Za-z0-9])([{letters}])(?![A-Za-z0-9])"

    def phrase(pattern: str) -> Step:
        return partial(_first, re.compile(pattern.replace("X", letter).replace("：", "[：:]")))

    alone = re.compile(letter)
    return (
        phrase(r"\AX"),
        phrase("答案(?:选项)?[是为]：? ?X"),
        phrase("答案[是为]选项 ?X"),
        phrase("故?选择?：? ?X"),
        phrase("X ?选?项[是为]?正确"),
        phrase("正确的?选项[是为] ?X"),
        phrase("答案(?:应该)?[是为]X"),
        phrase("选项 ?X ?[是为]?正确"),
        phrase("选择答案 ?X"),
        phrase("答案?：?X"),
        phrase("X(?:选?项)?是?符合题意"),
        phrase("答案选项：? ?X"),
        partial(_behind, re.compile("答案(?:选项)?为"), alone),
        partial(_before, "当选", alone),
        partial(_before, "正确", alone),
        phrase("[^不]是：? ?X"),
        partial(_only, alone),
    )


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _behind(phrase: re.Pattern[str], letter: re.Pattern[str], text: str) -> str | None:
    """Return the first letter behind a phrase, in the first line that has both."""
    for line in _lines(text):
        if (start := phrase.search(line)) and (found := letter.search(line, start.end())):
            return found[1]
    return None


def _before(phrase: str, letter: re.Pattern[str], text: str) -> str | None:
    """Return the letter nearest before a phrase, in the first line that has a letter before one."""
    for line in _lines(text):
        first = letter.search(line)
        end = line.find(phrase, first.end()) if first else -1
        if first and end >= 0:
            return (_last(letter.finditer(line, first.end(), end)) or first)[1]
    return None


def _only(letter: re.Pattern[str], text: str) -> str | None:
    """Return the letter that occurs, if it occurs once and no other does."""
    found = letter.finditer(text)
    first = next(found, None)
    return first[1] if first and next(found, None) is None else None


def _lines(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]
