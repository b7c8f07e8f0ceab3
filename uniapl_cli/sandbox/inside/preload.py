"""Load packages before the first call is forked, so that no call has to."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

# What a package builds when it is first used, and each call would build again: math-verify's
# regular expressions and the tables of its parser, a tenth of a second.
WARM = {
    "math_verify": r"""
import logging
logging.disable()
from math_verify import LatexExtractionConfig, parse, verify
def read(text):
    return parse(text, [LatexExtractionConfig()], parsing_timeout=None)
for gold, answer in (
    (r"\frac{1}{2}", r"\dfrac12"), (r"3\sqrt{2}", r"\sqrt{18}"), ("x^2+2x+1", "(x+1)^2"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\pi/2)"), ("(-\\infty,2]\\cup[3,4)", "[1,2)"),
    (r"\{1,2\}", "2,1"), (r"\text{(B)}", "B"), ("x=5", r"x \le 5.0"), (r"50\%", "6-5i"),
    (r"\begin{pmatrix}1\\-2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"),
    ("2516_8", r"90^\circ"), (r"\sin x", r"\log_2 3"), (r"\binom{4}{2}", "3!"),
):
    verify(read(f"${gold}$"), read(f"\\boxed{{{answer}}}"), timeout_seconds=None)
logging.disable(logging.NOTSET)
""",
}


def preload(names: Iterable[str]) -> dict[str, str] | None:
    """Import the named modules and use them once; return which could not be, and why."""
    for name in names:
        try:
            importlib.import_module(name)
            exec(WARM.get(name, ""), {"__name__": name})
        except Exception as error:  # noqa: BLE001  whatever the package does, it is of no use
            return {"unimportable": name, "why": f"{type(error).__name__}: {error}"}
    return None
