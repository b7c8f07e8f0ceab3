r"""Answers in a box: what asks for one, and the last one of a text."""

from __future__ import annotations

import re

ASKED = "Please reason step by step, and put your final answer within \\boxed{}."
"""Qwen's model cards ask so; questions of benchmarks and of training rows end with it."""

# A box that opens, a character that a backslash makes harmless, and braces.
_MARK = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_BLANK = re.compile(r"\s*+\}")
_BARE = re.compile(r"\\boxed\s+([^\s${}][^\n$]*)")


def ask(question: str) -> str:
    """Return a question that asks for a boxed answer."""
    return f"{question.strip()}\n{ASKED}"


def last_boxed(text: str) -> str | None:
    r"""Return what stands in the last box whose braces are balanced, in linear time; else None.

    The last is the one that begins last: of boxes within each other the inner one. A blank one is
    none: the question itself has one, and responses repeat it. A box without braces (`\boxed 4$`)
    counts where there is no other.
    """
    opened: list[tuple[int, int] | None] = []
    last = (-1, -1, -1)
    for mark in _MARK.finditer(text):
        if mark["box"]:
            opened.append((mark.start(), mark.end()))
        elif mark["open"]:
            opened.append(None)
        elif mark["close"] and opened and (box := opened.pop()) and not _BLANK.match(text, box[1]):
            last = max(last, (*box, mark.start()))
    if last[0] >= 0:
        return text[last[1] : last[2]].strip()
    bare = [found[1] for found in _BARE.finditer(text)]
    return bare[-1].strip().rstrip(".") if bare else None
