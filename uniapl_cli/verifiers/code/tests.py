"""code:tests: the code of a response passes a row's assertions."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence

from uniapl_cli.types import Grade
from uniapl_cli.verifiers.code.extraction import NO_CODE, code_in, program
from uniapl_cli.verifiers.kwargs import Texts
from uniapl_cli.verifiers.registry import Trial, verifiers

_CALLED = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?=[ \t]*\()")
_WORDS = {*dir(builtins), "assert", "not", "in", "and", "or", "is", "if", "else", "for", "lambda"}


@verifiers.register("code:tests", sandboxed=True)
def passes(
    response: str, *, tests: Texts, setup: str = "", imports: Sequence[str] = ()
) -> Grade | Trial:
    """MBPP: the code passes all of `tests`, within 10 s.

    `imports` go above the code, `setup` below it: MBPP's builds objects of the answer's classes.
    The block that counts is the first that defines what the first test calls. Code may stand
    between [BEGIN] and [DONE] instead of in a block.
    """
    code = code_in(_between_marks(response), called(tests[0]))
    if code is None:
        return NO_CODE
    source = "\n".join([*imports, code, setup, *tests])
    return Trial(program(source, seconds=10), code)


def called(test: str) -> set[str]:
    """Return the names that a test calls, builtins only where there is no other."""
    names = set(_CALLED.findall(test))
    return names - _WORDS or names


def _between_marks(response: str) -> str:
    """Return what [BEGIN] and [DONE] enclose, one of which may be missing."""
    before, mark, after = response.partition("[BEGIN]")
    return (after if mark else before).partition("[DONE]")[0]
