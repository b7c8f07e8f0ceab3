"""Signals that ask the program to stop: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that closes may send SIGHUP twice, itself and through the shell: seconds in between.
TWICE = 1.0

_ending = threading.Event()

Handler = Callable[[int, FrameType | None], None]


class Stopped(KeyboardInterrupt):
    """A signal asked the program to stop. Its notes say what is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StoppedAtOnce(Stopped):
    """A second signal: what is under way is not ended first."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to stop in a block that may be broken off anywhere.

    A KeyboardInterrupt, since event loops pass on no other.
    """


@contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Have a function handle the signals while the block runs, but not those that are ignored.

    They are ignored where the program was started by nohup, or in the background by a shell without
    job control. In another thread than the main one, nothing changes.
    """
    mine = threading.current_thread() is threading.main_thread()
    before = {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if mine and signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, signal.SIG_IGN if _ending.is_set() else handler_before)


def stay_deaf() -> None:
    """Hear no signal any more once the blocks that handle them end: the program is to end too."""
    _ending.set()


class StopRequest:
    """Notes the first signal, to stop when it suits; the second raises StoppedAtOnce.

    `ask` is called at the first one, with whether what is under way is broken off for it.
    """

    def __init__(self, ask: Callable[[bool], None] = lambda breaks: None) -> None:
        self.ask = ask
        self.number: int | None = None
        self._since, self._breaks = 0.0, False

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise Interrupted in the block at the first signal; at once if it has come before."""
        before, self._breaks = self._breaks, True
        try:
            if self.requested:
                raise Interrupted
            yield
        finally:
            self._breaks = before

    def __enter__(self) -> StopRequest:
        self._handled = handled(self._request)
        self._handled.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handled.__exit__(None, None, None)

    def _request(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.number == number == signal.SIGHUP and now - self._since < TWICE:
            return
        if self.number is not None:
            raise StoppedAtOnce(number)
        self.number, self._since = number, now
        with suppress(RuntimeError):  # of a print that came into the middle of another one
            self.ask(self._breaks)
        if self._breaks:
            raise Interrupted


@contextmanager
def stopping() -> Iterator[None]:
    """Raise Stopped in the block at the first signal; end the process at the second."""
    first: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        """Raise at the first signal; a second SIGHUP soon after it is the same one."""
        now = time.monotonic()
        if not first:
            first.append(now)
            raise Stopped(number)
        if number != signal.SIGHUP or now - first[0] >= TWICE:
            os._exit(128 + number)

    with handled(stop):
        yield


@contextmanager
def deaf() -> Iterator[None]:
    """Hear no signal while the block runs, which is to be brief."""
    with handled(lambda number, frame: None):
        yield


@contextmanager
def on_stop(note: str) -> Iterator[None]:
    """Say what is kept when the block is stopped, unless what was stopped has said so."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not getattr(stop, "__notes__", ()):
            stop.add_note(note)
        raise
