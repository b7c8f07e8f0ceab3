"""Watch a call until it answers, floods its output or runs out of time; then judge it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHUNK = 1 << 16


@dataclass
class Seen:
    """What a call sent while it was watched, and why the watch ended before an answer."""

    message: bytes
    output: bytearray
    stopped: str | None
    overdue: bool = False


def watch(result: int, output: int, hangup: int, started: float, limits: Mapping[str, Any]) -> Seen:
    """Read both pipes until there is an answer. Exits when the pool hangs up."""
    written = bytearray()
    poller = select.poll()
    poller.register(result, select.POLLIN)
    poller.register(output, select.POLLIN)
    poller.register(hangup, 0)
    deadline = started + limits["seconds"]
    while (left := deadline - time.monotonic()) > 0:
        ready = [fd for fd, _ in poller.poll(left * 1000 + 1)]
        if hangup in ready:
            os._exit(0)
        if output in ready:
            chunk = os.read(output, CHUNK)
            written += chunk
            if len(written) > limits["output_bytes"]:
                return Seen(b"", written, _flooded(limits))
            if not chunk:
                poller.unregister(output)
        if result in ready:
            return Seen(os.read(result, CHUNK), written, None)
    return Seen(b"", written, f"ran longer than {limits['seconds']:g} s", overdue=True)


def conclude(
    seen: Seen, output: int, nonce: bytes, status: int, limits: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the reply for a call that is over: its verdict, or the reason why there is none."""
    written, stopped = seen.output, seen.stopped
    while not stopped and (chunk := os.read(output, CHUNK)):
        written += chunk
        if len(written) > limits["output_bytes"]:
            stopped = _flooded(limits)
    text = bytes(written[: limits["output_bytes"]]).decode("utf-8", "replace")
    if stopped:
        return {"value": None, "error": stopped, "output": text}
    return {**_read(seen.message, nonce, status, limits), "output": text}


def _read(message: bytes, nonce: bytes, status: int, limits: Mapping[str, Any]) -> dict[str, Any]:
    if not message:
        return {"value": None, "error": _death(status, limits)}
    verdict = message.removeprefix(nonce)
    if verdict == message:
        return {"value": None, "error": "wrote to the pipe of the verdict"}
    text = verdict[1:].decode("utf-8", "replace")
    if verdict[:1] in (b"T", b"F"):
        return {"value": verdict[:1] == b"T", "error": None, "reason": text}
    return {"value": None, "error": text}


def _death(status: int, limits: Mapping[str, Any]) -> str:
    if os.WIFEXITED(status):
        return f"ended its process with code {os.WEXITSTATUS(status)} before a verdict"
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return f"used more than {limits['cpu_seconds']} s of the processor"
    if number == signal.SIGKILL:  # also by us, where it closed the pipe of the verdict
        return "was killed before a verdict"
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"crashed ({name})"


def _flooded(limits: Mapping[str, Any]) -> str:
    return f"wrote more than {limits['output_bytes']} bytes of output"
