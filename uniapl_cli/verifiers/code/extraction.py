"""Finds the code in a response, in time that grows with its length and no faster."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from uniapl_cli.sandbox import Limits, Program
from uniapl_cli.types import Grade

# Lines that code may begin with, unindented; a heading of Markdown is a comment of Python.
_BEGINS = re.compile(
    r"^(?:(?:async def|def|class|import|from)\b|[@#]|\"{3}|'{3}|\w[\w.]*\(|"
    r"\w+(?:,[ \t]*\w+)*[ \t]*=(?!=))",
    re.MULTILINE,
)
# Of a text without a fence: a line that prose does not begin with.
_STATEMENT = re.compile(
    r"^[ \t]*(?:async def|def|class|import|return|yield|raise|lambda)\b", re.MULTILINE
)
# The body of a function, without its first line.
_BODY = re.compile(r"\n*(?: {4}|\t)[ \t]*[^ \t\n]")
_DEFINED = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+)[ \t]*=(?!=)", re.MULTILINE)

FUTURE = "from __future__ import"
NO_CODE = Grade(False, None, "there is no code in it")


def code_in(response: str, names: Collection[str], asked: str = "") -> str | None:
    """Return the first fenced block that defines one of `names`, else the first block.

    A text before the first fence that defines one, or is a function's body, is a block that nobody
    opened: models forget to, or go on where the prompt opened it. Without a fence it is the whole
    text, or None where nothing in it looks like code. A block that only repeats `asked`, the code
    in the question, counts where there is no other.
    """
    text = response.replace("\r\n", "\n")
    before = _before_fences(text)
    start = _start(before, names)
    if before == text:
        return text[start or 0 :] if start is not None or _STATEMENT.search(text) else None
    if start is not None:
        text = f"```\n{text[start:]}"
    found = blocks(text)
    found = [block for block in found if block.strip() != asked.strip()] or found
    return next((block for block in found if defines(block, names)), found[0] if found else None)


def _before_fences(text: str) -> str:
    before = []
    for line in text.split("\n"):
        if fence := _fence(line):
            before.append(fence.before)
            break
        before.append(line)
    return "\n".join(before)


def _start(text: str, names: Collection[str]) -> int | None:
    """Return where code begins in a text that defines one of `names`, or is a body."""
    if _BODY.match(text):
        return 0
    begins = _BEGINS.search(text) if defines(text, names) else None
    return begins.start() if begins else None


def defines(code: str, names: Collection[str]) -> bool:
    """Whether code defines a function, class or variable of one of these names, unindented."""
    return any((match[1] or match[2]) in names for match in _DEFINED.finditer(code))


def program(source: str, seconds: int) -> Program:
    """Return the program of an answer, with what it may use.

    Imports from `__future__` go to the top, where Python wants them.
    """
    if FUTURE in source:
        lines = source.split("\n")
        source = "\n".join(sorted(lines, key=lambda line: not line.startswith(FUTURE)))
    limits = Limits(seconds=seconds, cpu_seconds=seconds, memory_mb=1024)
    return Program(source, limits=limits, name="answer")


@dataclass(frozen=True, slots=True)
class _Fence:
    """A line that ends with a fence: what stands before it, its marks, and the language."""

    before: str
    marks: str
    info: str

    def closes(self, opened: _Fence) -> bool:
        """Whether it ends a block, alone or behind the block's last line."""
        same = self.marks[0] == opened.marks[0] and len(self.marks) >= len(opened.marks)
        return same and (not self.info or not self.before.strip())


def blocks(text: str) -> list[str]:
    """Return the fenced blocks of a text that are not blank; one never closed runs to the end.

    A fence of a language inside of a block begins the next one; within a string of triple quotes,
    as in a docstring, no fence counts. Blocks in lists lose the list's indentation.
    """
    found: list[list[str]] = []
    opened: _Fence | None = None
    quotes = 0
    for line in text.split("\n"):
        fence = _fence(line)
        if opened is None:
            if fence:
                opened, quotes = fence, 0
                found.append([])
            continue
        quotes += line.count('"""') + line.count("'''")
        if fence and fence.closes(opened) and quotes % 2 == 0:
            found[-1].append(_indented_less(fence.before, opened))
            opened, quotes = (fence if fence.info else None), 0
            if opened:
                found.append([])
        else:
            found[-1].append(_indented_less(line, opened))
    return [block for lines in found if (block := "\n".join(lines)).strip()]


def _fence(line: str) -> _Fence | None:
    for mark in "`~":
        before, three, rest = line.partition(mark * 3)
        info = rest.lstrip(mark)
        if not three or mark in info:
            continue
        language = info.strip()
        alone = not before.strip()
        if alone or (mark == "`" and (not language or language.isidentifier())):
            return _Fence(before, three + mark * (len(rest) - len(info)), language)
    return None


def _indented_less(line: str, opened: _Fence) -> str:
    indent = 0 if opened.before.strip() else len(opened.before)
    return line[min(indent, len(line) - len(line.lstrip())) :]
