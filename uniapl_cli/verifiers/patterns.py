"""Matches patterns that come out of a data set, as `re` does but with a limit of time.

IFEval takes keywords for regular expressions, and one like `(a+)+$` would never end. `re` cannot
be interrupted in a thread, and other engines decide some patterns otherwise. So patterns without a
choice, which includes all plain words, are matched here in linear time, and others, and the very
long, by `re` in a process of their own.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, Literal

from uniapl_cli.errors import UniAPLError
from uniapl_cli.verifiers import matching

How = Literal["search", "findall", "split"]

SECONDS = 1.0
# Comparisons of characters that a pattern without a choice may take here: 0.2 s or so.
STEPS = 10**8
# On the clock, for a process that neither answers nor notices that its time is over.
GRACE_SECONDS = 60.0
# With none of these there is nothing to repeat or to choose, so nothing to go back to.
_CHOICE = re.compile(r"[*+?{|\[(]")


class PatternError(UniAPLError):
    """A pattern out of a data set could not be matched in time, or at all."""


def occurs(pattern: str, text: str, *, before: str = "", after: str = "") -> bool:
    """Whether the pattern occurs in any case; `before` and `after` are our own parts of it."""
    return bool(_match("search", pattern, text, before, after, re.IGNORECASE))


def occurrences(pattern: str, text: str) -> int:
    """Count how often the pattern occurs, in any case."""
    return len(_match("findall", pattern, text, "", "", re.IGNORECASE))


def parts(pattern: str, text: str, *, before: str = "", after: str = "") -> list[str | None]:
    """Split at the pattern, case-sensitively, as re.split does."""
    split: list[str | None] = _match("split", pattern, text, before, after, 0)
    return split


def find_all(pattern: str, text: str) -> list[str]:
    """Return what the pattern matches, case-sensitively, as re.findall does."""
    texts: list[str] = ask("findall", pattern, text, 0)
    return texts


def _match(how: How, pattern: str, text: str, before: str, after: str, flags: int) -> Any:
    whole = before + pattern + after
    if _CHOICE.search(pattern) is None and len(whole) * len(text) <= STEPS:
        return matching.match(how, whole, text, flags)
    return ask(how, whole, text, flags)


def ask(how: How, pattern: str, text: str, flags: int) -> Any:
    """Match in the other process, which starts with the first request. Raises PatternError."""
    request = {"how": how, "pattern": pattern, "text": text, "flags": flags, "seconds": SECONDS}
    reply = _matcher.ask(request)
    if "error" in reply:
        raise PatternError(f"the pattern {pattern[:80]!r} {reply['error']}", got=pattern)
    return reply["result"]


class _Matcher:
    """The process; one that dies or hangs is replaced by the next request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply; one request at a time."""
        line = json.dumps(request).encode("ascii") + b"\n"
        with self._lock:
            process = self._running()
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(line)
                process.stdin.flush()
                in_time = wait([process.stdout.fileno()], GRACE_SECONDS)
                reply = process.stdout.readline() if in_time else b""
            except BaseException as error:  # an interrupt must not leave a reply to be read later
                self.stop()
                if isinstance(error, BrokenPipeError):
                    return {"error": "ended the process that matched it"}
                raise
            if not reply.endswith(b"\n"):
                self.stop()
                return {"error": "ended the process that matched it"}
        answer: dict[str, Any] = json.loads(reply)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            command = [sys.executable, "-I", "-S", matching.__file__]
            self._process = subprocess.Popen(command, stdin=-1, stdout=-1)
        return self._process

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with suppress(BrokenPipeError):
                    pipe.close()
            self._process = None


_matcher = _Matcher()


def _forget() -> None:
    """Leave the parent's process to the parent."""
    global _matcher
    _matcher = _Matcher()


atexit.register(lambda: _matcher.stop())
if hasattr(os, "register_at_fork"):  # on systems that fork
    os.register_at_fork(after_in_child=_forget)
