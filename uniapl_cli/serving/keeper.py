"""Keeps a server: runs it until it ends or its own standard input does, and leaves nothing of it.

    python keeper.py WORD...

vLLM is several processes, and the engine outlives the one that was started. All of them are in one
group here, which is ended whole, also when whoever holds the other end of the pipe is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

# Seconds between being asked to end and being killed: requests under way may keep a server longer.
GRACE = 5.0


def main() -> int:
    """Run the command; return how it ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the pipe says when
    server = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_as_before
    )
    threading.Thread(target=_end_with_stdin, args=(server.pid,), daemon=True).start()
    ended = server.wait()
    _signal(server.pid, signal.SIGKILL)  # the engine, where only its parent has ended
    return ended if ended >= 0 else 128 - ended


def _as_before() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _end_with_stdin(group: int) -> None:
    while os.read(0, 4096):
        pass
    _signal(group, signal.SIGTERM)
    time.sleep(GRACE)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main())
