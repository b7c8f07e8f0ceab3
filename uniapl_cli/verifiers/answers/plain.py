"""Plain numbers, and how an answer is shown in a reason."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from uniapl_cli.types import Grade

# No answer of the data sets comes near; more is a model that repeats itself, or an attack.
LONGEST = 300

_SPACED = re.compile(r"(?<=\d)(?:,|\{,\}|\\[,!;:]|,\\!|\\!,)\s?(?=\d{3}(?!\d))")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)")
_SIGN = re.compile(r"^([-+])\s+")
_MINUS = str.maketrans("\N{MINUS SIGN}\N{EN DASH}", "--")


def as_number(text: str) -> Decimal | None:
    r"""Return a text that is one number: signs of money and percent, commas, a final point aside.

    In LaTeX `1{,}000`, `1\,000` and `11,\! 111` have commas too.
    """
    bare = text.strip().replace("\\$", "").replace("$", "").replace("\\%", "").replace("%", "")
    bare = _SIGN.sub(r"\1", _SPACED.sub("", bare.translate(_MINUS).strip().rstrip(".")))
    if len(bare) > LONGEST or not _NUMBER.fullmatch(bare):
        return None
    try:
        return Decimal(bare)
    except InvalidOperation:
        return None


def unread(why: str) -> Grade:
    """Return the grade of a response in which no answer could be found."""
    return Grade(False, None, why)


def compared(right: bool, read: str, answer: object) -> Grade:
    """Return the grade of an answer that was read, with the reason where it is wrong."""
    return Grade(right, read, "" if right else f"read {short(read)}, the answer is {answer}")


def short(text: str, length: int = 80) -> str:
    """Return a text as one line of at most so many characters."""
    line = " ".join(text[: 2 * length].split())
    return line if len(line) <= length else f"{line[: length - 3]}..."
