"""What libraries raise, as one line: the one place that turns their errors into ours."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from uniapl_cli.errors import ModelError, OutOfMemory, UniAPLError, first_line

LONGEST = 240
# Where the library says nothing that helps, or advises what is unsafe: its words -> ours.
_REWORDED = {
    "weights only load failed": "it is damaged, or holds more than tensors, and was refused",
    "weights_only": "it holds more than tensors, and was refused",
    "trust_remote_code": "it needs code of its own, which is not run here",
    "does not support an attention implementation": "it does not have that attention; auto does",
    "ignore_mismatched_sizes": "its weights have other shapes than its config.json says",
    "failed finding central directory": "it is damaged: its end is missing",
    "repo id must be": "a model is called NAME or OWNER/NAME there",
    "couldn't instantiate the backend tokenizer": "its tokenizer files are damaged or missing",
}
# Errors of code that met what it does not expect: their texts need the error's name beside them.
_UNEXPECTED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    TypeError,
)


@contextmanager
def explained(
    problem: str, *, got: Any = None, error: type[UniAPLError] = ModelError, advice: str = ""
) -> Iterator[None]:
    """Raise what a library raises in the block as one `error`: `problem`, a colon, and the reason.

    Errors of this program, and those that are not the file's fault, pass: a full disk or memory.
    """
    try:
        yield
    except UniAPLError:
        raise
    except BaseException as raised:
        if not _is_the_files(raised):
            raise
        raise error(f"{problem}: {reason(raised)}", advice, got=got) from raised


# What allocators say: torch's on a CPU and a GPU, oneDNN's for the code that it makes, C++'s.
_REFUSALS = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "could not create a memory",
    "could not create a primitive",
    "bad_alloc",
    "alloc_failed",
)


@contextmanager
def within_memory(
    problem: Callable[[], str], key: str, advice: str | None = None
) -> Iterator[None]:
    """Raise an allocator's refusal in the block as OutOfMemory, which names the key to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_refusal(error):
            raise
        raise OutOfMemory(
            f"out of memory {problem()}", advice or f"Lower {key}", key=key
        ) from error


def is_refusal(error: BaseException) -> bool:
    """Whether an error says that there was no memory to give, on a CPU or a GPU."""
    # By name, because importing torch for its class would cost every verb a second.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _REFUSALS)


def reason(error: BaseException) -> str:
    """Return why a library failed, in one line without its advice."""
    text = str(error).strip().lower()
    for words, ours in _REWORDED.items():
        if words in text:
            return ours
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text: {error.reason}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    line = brief(error)
    if isinstance(error, _UNEXPECTED):
        return f"it is damaged ({type(error).__name__}: {line})" if text else "it is damaged"
    return line


def brief(error: BaseException) -> str:
    """Return what a library says, in one short line, as it says it."""
    return _short(_telling_line(error))


def _is_the_files(error: BaseException) -> bool:
    """Whether a file that was read can be the cause."""
    name = type(error).__name__
    if name == "PanicException":  # of a library in Rust; it is no Exception
        return True
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return False
    return isinstance(error, Exception) and name not in ("MemoryError", "OutOfMemoryError")


def _telling_line(error: BaseException) -> str:
    """Return the first line, or, where that only announces the next, the next."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):
        head, _, rest = lines[1].partition(": ")
        return rest if rest and head.endswith("Error") else lines[1]
    return first_line(error)


def _short(line: str) -> str:
    """Return a line without the sentences behind the first, if it is long."""
    if len(line) > LONGEST // 2:
        line = line.partition(". ")[0]
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
