"""Messages between the pool and a worker: a length in four bytes, then JSON."""

from __future__ import annotations

import json
import os
from typing import Any


def encode(message: object) -> bytes:
    """Return a message as bytes."""
    text = json.dumps(message).encode("ascii")
    return len(text).to_bytes(4, "big") + text


def send(fd: int, message: object) -> None:
    """Write a whole message. Raises BrokenPipeError when nobody reads."""
    left = memoryview(encode(message))
    while left:
        left = left[os.write(fd, left) :]


def receive(fd: int) -> Any:
    """Read one message. Raises EOFError when the other side is gone."""
    return json.loads(_read(fd, int.from_bytes(_read(fd, 4), "big")))


def _read(fd: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            raise EOFError("the other side of the pipe is gone")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
