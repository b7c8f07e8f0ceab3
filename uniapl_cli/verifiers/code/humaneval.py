"""code:humaneval: the function that a prompt begins passes the benchmark's tests."""

from __future__ import annotations

import re

from uniapl_cli.types import Grade
from uniapl_cli.verifiers.code.extraction import NO_CODE, code_in, defines, program
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import Trial, verifiers


@verifiers.register("code:humaneval", sandboxed=True)
def humaneval(response: str, *, prompt: Text, entry_point: Text, test: Text) -> Grade | Trial:
    """HumanEval: the function `entry_point` that `prompt` begins passes `test`, within 3 s.

    A whole function goes below what the prompt has above its own (imports, other functions), what
    else there is goes below the whole prompt, as the function's body.
    """
    code = code_in(response, [entry_point], prompt)
    if code is None:
        return NO_CODE
    if defines(code, [entry_point]):
        before = _above(prompt, entry_point)
    else:
        before, code = prompt, _as_body(code)
    source = "\n".join([before, code, test, f"check({entry_point})"])
    return Trial(program(source, seconds=3), code)


def _above(prompt: str, name: str) -> str:
    found = re.search(rf"^(?:async )?def {re.escape(name)}\b", prompt, re.MULTILINE)
    return prompt[: found.start()] if found else prompt


def _as_body(code: str) -> str:
    """Indent what is not indented, or a first line alone that has lost its indentation."""
    lines = code.lstrip("\n").split("\n")
    if not lines[0] or lines[0][0].isspace():
        return code
    indents = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    lost = all(indents) and (not lines[0].rstrip().endswith(":") or indents[:1] > [4])
    if lost:
        return "\n".join(["    " + lines[0], *lines[1:]])
    return "\n".join("    " + line if line.strip() else line for line in lines)
