"""answer:math, an answer in LaTeX as in MATH, compared by math-verify in the sandbox."""

from __future__ import annotations

import re

from uniapl_cli.boxed import last_boxed
from uniapl_cli.sandbox import Call, Limits
from uniapl_cli.types import Grade
from uniapl_cli.verifiers.answers.plain import LONGEST, as_number, compared, short, unread
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import Trial, verifiers

LIMITS = Limits(seconds=5, cpu_seconds=5, memory_mb=1024)
_ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|(\d+|\w))")
# Characters that math-verify's reader does not know, as LaTeX writes them.
_LATEX = str.maketrans(
    {
        **{"\N{EN DASH}": "-", "\N{FULLWIDTH COMMA}": ",", "（": "(", "）": ")"},
        **{"°": "^\\circ ", "∞": "\\infty ", "·": "\\cdot ", "±": "\\pm ", "∈": "\\in "},
        **{"½": "\\frac12 ", "²": "^2 ", "³": "^3 "},
    }
)

# Only LaTeX is extracted: from it nothing but numerals reaches sympy's `eval`, to which
# math-verify's other way, for plain expressions, hands whole texts.
# Its own limits of time are alarms, and off: the sandbox has limits.
SOURCE = r"""
def equal(gold, answer, reason):
    import logging

    logging.disable()
    from math_verify import LatexExtractionConfig, parse, verify

    def read(text):
        return parse(text, [LatexExtractionConfig()], parsing_timeout=None)

    expected, given = read(f"${gold}$"), read(f"\\boxed{{{answer}}}")
    if not expected:
        raise ValueError("math-verify cannot read the row's answer")
    if all(isinstance(one, str) for one in given):
        reason = f"math-verify cannot read it; {reason}"
    print(reason)
    return verify(expected, given, timeout_seconds=None)
"""


@verifiers.register("answer:math", sandboxed=True, packages=("math_verify",))
def math(response: str, *, answer: Text) -> Grade | Trial:
    r"""The last \boxed{} holds the answer: as a text, as a plain number, or as math-verify says."""
    box = last_boxed(response)
    if not box:
        return unread("there is no \\boxed{...} in the response")
    if len(box) > LONGEST:
        return unread(f"the boxed answer has {len(box)} characters, over {LONGEST}")
    gold = answer.strip()
    if box == gold:
        return compared(True, box, gold)
    numbers = _bare_number(box), _bare_number(gold)
    if None not in numbers:
        return compared(numbers[0] == numbers[1], box, gold)
    reason = compared(False, box, short(gold)).reason
    written = _ROOT.sub(r"\\sqrt{\1\2}", box).translate(_LATEX)
    return Trial(Call(SOURCE, "equal", (gold, written, reason), LIMITS), box)


def _bare_number(text: str) -> object:
    """Return a text that is a number, without any sign of money or percent, which may count."""
    return None if "%" in text or "$" in text else as_number(text)
