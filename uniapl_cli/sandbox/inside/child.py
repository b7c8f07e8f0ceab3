"""The process of one call: it runs the untrusted code, and says what came of it.

The untrusted code shares the interpreter with what stands here. So this module has builtins of its
own, which a patched `builtins.type` does not reach, and takes what it needs from `os` beforehand.
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

# Seen by the functions below, as they are made after it.
__builtins__ = {**vars(builtins)}  # type: ignore[assignment]

REASON = 500
"""An error's reason is cut to so many characters, and its message fits a pipe in one write."""
_name = vars(type)["__name__"].__get__  # the name itself, whatever a metaclass calls it
WORDS = {"true": True, "false": False}


def as_verdict(value: object) -> bool:
    """Read what a verification function returned. Raises ValueError for what is no verdict.

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
    """Do what the request says, write `nonce`, T, F or E and the reason to `result`, and exit."""
    stdout, stderr = sys.stdout, sys.stderr
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    random.seed(0)
    gc.enable()
    ballast = mmap.mmap(-1, 1 << 20)  # given back when memory is short, for there to be last words
    try:
        said = b"T" if _run(request, vars(module)) else b"F"
    except BaseException as error:  # noqa: BLE001
        ballast.close()
        if type(error) is MemoryError:
            error.__traceback__ = None
        failed = request["kind"] == "program" and type(error) is AssertionError
        said = b"F" if failed else b"E" + _reason(error)
    for stream in (stdout, stderr):
        try:  # noqa: SIM105 - contextlib's classes are everyone's, and can be patched
            stream.flush()
        except BaseException:  # noqa: BLE001, S110
            pass
    write(result, nonce + said)
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


def _reason(error: BaseException) -> bytes:
    try:
        name, text = _name(type(error)), str(error)
        said = f"{name}: {text[:REASON]}" if text else name
        return said[:REASON].encode("utf-8", "backslashreplace")
    except BaseException:  # noqa: BLE001
        return b"an exception that cannot be printed"
