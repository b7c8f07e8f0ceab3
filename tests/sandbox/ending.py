"""Processes below a process, and whether they end."""

import time
from pathlib import Path


def children(pid: int) -> set[int]:
    """Return the processes below a process."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        below = {int(child) for child in path.read_text().split()}
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return below.union(*map(children, below))


def end(pids: set[int]) -> bool:
    """Whether all processes end within two seconds; a zombie has ended."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if not any(map(lives, pids)):
            return True
        time.sleep(0.01)
    return False


def lives(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
