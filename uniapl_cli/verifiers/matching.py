"""The process that matches patterns out of a data set; the standard library only, run as a script.

It reads requests as lines of JSON, {how, pattern, text, flags, seconds}, and answers with {result}
or {error}. The limit counts the processor's time, so a busy machine changes no verdict.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import Any


class TooSlow(Exception):
    """The limit has passed."""


def main() -> None:
    """Answer requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    signal.signal(signal.SIGVTALRM, _stop)
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Match, and return {result}, or {error} where that fails or takes too long."""
    seconds = request["seconds"]
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            return {"result": match(**{name: request[name] for name in ARGUMENTS})}
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except TooSlow:
        return {"error": f"takes longer than {seconds:g} s to match"}
    except Exception as error:  # noqa: BLE001  whatever the pattern does is its own fault
        return {"error": f"cannot be matched ({type(error).__name__}: {error})"}


ARGUMENTS = ("how", "pattern", "text", "flags")


def match(how: str, pattern: str, text: str, flags: int) -> Any:
    """Return what re's function `how` does: whether `search` finds, or a list of texts."""
    compiled = re.compile(pattern, flags)
    if how == "search":
        return compiled.search(text) is not None
    return compiled.findall(text) if how == "findall" else compiled.split(text)


def _stop(signal: int, frame: object) -> None:
    raise TooSlow


if __name__ == "__main__":
    main()
