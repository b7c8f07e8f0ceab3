"""Calls that wait for other processes, in a thread: the main one stays free to hear signals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Calls:
    """Makes calls one after the other. The thread is a daemon: one that hangs holds up no end."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="ranks", daemon=True)
        self._thread.start()

    def begin(self, call: Callable[[], T]) -> Future[T]:
        """Have a call made once those before it have ended."""
        future: Future[T] = Future()
        self._waiting.put((future, call))
        return future

    def end(self) -> None:
        """End the thread, after what it has been given."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            future, call = given
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  raised where it is waited for
                future.set_exception(error)
