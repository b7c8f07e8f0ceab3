"""answer:number, a number as in GSM8K."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

from uniapl_cli.boxed import last_boxed
from uniapl_cli.types import Grade
from uniapl_cli.verifiers.answers.plain import LONGEST, as_number, compared, unread
from uniapl_cli.verifiers.registry import verifiers

# Digits, whose thousands LaTeX parts by `{,}`, `\\,` or `,\\!`.
_DIGITS = r"\d[\d,]*(?:(?:\{,\}|\\[,!])\d{3}(?!\d))*(?:\.\d+)?"
_MARKED = re.compile(
    rf"####[\s\\$]*+([-+\N{{MINUS SIGN}}]?[\\$]*+{_DIGITS}|[-+\N{{MINUS SIGN}}]?\.\d+)"
)
# Behind a number that is a heading's: "#### 2. Add them up".
_HEADING = re.compile(r"[.):][ \t*]+[^\W\d]")
# A minus behind a digit, a letter or a bracket takes away.
_NUMBER = re.compile(rf"(?:(?<![\w.)\]}}])[-+\N{{MINUS SIGN}}])?\\?\$?(?:{_DIGITS}|\.\d+)")
_COMMA = re.compile(r"(?<=\d)(?:\{,\}|\\,|,?\\!)\s?(?=\d{3}(?!\d))")
_PARTED = re.compile(r"\{,\}|\\[,!]|,")
# A comma that is none of thousands, in Indian writing neither ("1,00,000").
_LISTS = re.compile(r",(?=\d)(?!\d{3}(?!\d)|\d\d,)")
_APART = re.compile(r"([-\N{MINUS SIGN}\N{EN DASH}])\s+(?=[\\$]*\.?\d)")
_COMPUTED = re.compile(r"\\[dt]?frac|\\sqrt|\\pi|[π√]")
_WORDS = re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf)\s*\{([^{}]*)\}(?:\^\{?\d\}?)?")
_SYMBOLS = re.compile(r"\\(?:left|right|,|;|!|:| |quad|qquad)|(?<=[A-Za-z])\^\{?[23]\}?")


def _is_number(text: str) -> str:
    if as_number(text) is None:
        raise ValueError("is no number")
    return text


Number = Annotated[str, AfterValidator(_is_number)]


@verifiers.register("answer:number")
def number(response: str, *, answer: Number) -> Grade:
    r"""The number in the last \boxed{}, else behind `####`, else the last one, is the answer's.

    Signs of money and percent, commas and a final point do not count; 18.0 is 18.
    """
    read = _read(response)
    if isinstance(read, Grade):
        return read
    gold = as_number(answer)
    return compared(read == gold, f"{read:f}", answer)


def _read(response: str) -> Decimal | Grade:
    box = last_boxed(response)
    if box is not None:
        return _in_box(box)
    written = _marked(response)
    if written is None:
        for found in _NUMBER.finditer(response):
            written = found[0]
    if written is None:
        return unread("there is no number in the response")
    read = _plain(written)
    if read is None:
        return unread(f"'{written[:40]}' is no number of at most {LONGEST} digits")
    return read


def _marked(response: str) -> str | None:
    """Return the first number behind `####` that is not a heading's."""
    # Not by a lookahead behind possessive groups, which Python before 3.11.5 gets wrong.
    found = _MARKED.finditer(response)
    return next((one[1] for one in found if not _HEADING.match(response, one.end())), None)


def _in_box(box: str) -> Decimal | Grade:
    """Return a box's number: the box itself, or the only number behind its last `=`.

    Numbers within words of LaTeX count where there are no others.
    """
    if len(box) > LONGEST:
        return unread(f"the boxed answer has {len(box)} characters, over {LONGEST}")
    if (whole := as_number(box)) is not None:
        return whole
    box = _COMMA.sub(",", box)
    for kept in (" ", r" \1 "):
        side = _SYMBOLS.sub(" ", _WORDS.sub(kept, box)).rpartition("=")[2]
        if (whole := as_number(side)) is not None:
            return whole
        numbers = [found[0] for found in _NUMBER.finditer(_APART.sub("-", side))]
        if numbers:
            break
    one = len(numbers) == 1 and not _COMPUTED.search(side) and not _LISTS.search(numbers[0])
    read = _plain(numbers[0]) if one else None
    return unread(f"the boxed answer '{box[:40]}' is not one number") if read is None else read


def _plain(written: str) -> Decimal | None:
    """Read a number that was found in a text, where any comma is one of thousands."""
    return as_number(_PARTED.sub("", written))
