"""The process of one call: it runs the untrusted code and reports a verdict or an error.

The untrusted code shares the interpreter with this module. So the module has builtins of its own,
which a patched `builtins.type` does not reach, and imports what it needs from `os` beforehand.
"""

from __future__ import annotations

import builtins
import gc
import mmap
import random
import sys
from collections.abc import Mapping
from os import _exit, write
from types import ModuleType
from typing import Any, NoReturn

# The builtins of the functions below, which are defined after it.
__builtins__ = {**vars(builtins)}  # type: ignore[assignment]

REASON = 500
"""An error's reason is cut to so many characters, and its message fits a pipe in one write."""
_name = vars(type)["__name__"].__get__  # the name itself, whatever a metaclass calls it
WORDS = {"true": True, "false": False}


def as_verdict(value: object) -> bool:
    """Return the verdict in what a verification function returned. Raises ValueError for none.

    True and False, 1 and 0, and the words "true" and "false", which one in forty of AutoIF's
    functions returns. The type counts exactly, so that no method of the value is ever called.
    """
    if type(value) is bool:
        return value
    if type(value) is int and (value == 0 or value == 1):
        return value == 1
    if type(value) is str and len(value) < 16 and value.strip().lower() in WORDS:
        return WORDS[value.strip().lower()]
    raise ValueError(f"returned no verdict but {_shown(value)}")


def answer(request: Mapping[str, Any], result: int, nonce: bytes) -> NoReturn:
    """Run the request, write `nonce` and T, F or E with the reason to `result`, and exit."""
    stdout, stderr = sys.stdout, sys.stderr
    # A function's source is imported, not run: what it keeps for `__main__` is not for us.
    module = ModuleType(request["name"] if request["kind"] == "program" else "constraint")
    sys.modules["__main__"] = sys.modules[module.__name__] = module
    random.seed(0)
    gc.enable()
    ballast = mmap.mmap(-1, 1 << 20)  # freed when memory is short, so that the error can be written
    try:
        verdict = b"T" if _run(request, vars(module)) else b"F"
    except BaseException as error:  # noqa: BLE001
        ballast.close()
        if type(error) is MemoryError:
            error.__traceback__ = None
        failed = request["kind"] == "program" and type(error) is AssertionError
        verdict = b"F" + _failure(error, request["source"]) if failed else b"E" + _reason(error)
    for stream in (stdout, stderr):
        try:  # noqa: SIM105 - contextlib's classes are everyone's, and can be patched
            stream.flush()
        except BaseException:  # noqa: BLE001, S110
            pass
    write(result, nonce + verdict)
    _exit(0)


def _run(request: Mapping[str, Any], namespace: dict[str, Any]) -> bool:
    exec(compile(request["source"], "<sandbox>", "exec", dont_inherit=True), namespace)
    if request["kind"] == "program":
        return True
    name = request["function"]
    if name not in namespace:
        raise NameError(f"the source defines no function '{name}'")
    return as_verdict(namespace[name](*request["args"]))


def _shown(value: object) -> str:
    kind = type(value)
    if value is None or ((kind is int or kind is float) and -1e9 < value < 1e9):  # type: ignore[operator]
        return repr(value)
    return f"a value of type {_name(kind)[:100]}"


def _failure(error: BaseException, source: str) -> bytes:
    """Return the line of the source that raised an AssertionError, with the error's text."""
    try:
        number, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<sandbox>":
                number = trace.tb_lineno
            trace = trace.tb_next
        line = source.split("\n")[number - 1].strip()[:REASON]
        text = str(error)[:REASON]
        reason = f"{line} ({text})" if text and text not in line else line
        return " ".join(reason.split())[:REASON].encode("utf-8", "backslashreplace")
    except BaseException:  # noqa: BLE001
        return b""


def _reason(error: BaseException) -> bytes:
    try:
        name, text = _name(type(error)), str(error)
        reason = f"{name}: {text[:REASON]}" if text else name
        return reason[:REASON].encode("utf-8", "backslashreplace")
    except BaseException:  # noqa: BLE001
        return b"an exception that cannot be printed"
