"""Processes that work side by side: each holds one chunk at a time, over a pipe of its own.

Not the standard library's pool: its thread, which an exit joins, may wait for ever for the rest of
a result whose sender was ended.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from multiprocessing.connection import wait
from types import TracebackType
from typing import TYPE_CHECKING, Any

from uniapl_cli.errors import UniAPLError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Start = Callable[..., AbstractContextManager[Callable[[Any], Any]]]

# Chunks a worker that are read before the first of them is returned.
AHEAD = 4
# What a process may take to end.
END_SECONDS = 5.0


class Workers:
    """`count` processes. Each enters `start(*options)`, which gives what it does with a chunk.

    Leaving the block by an error ends them at once, whatever they are at. `start`, `options`,
    chunks and results must be picklable.
    """

    def __init__(self, count: int, start: Start, options: tuple[Any, ...]) -> None:
        self._workers = [_Worker(start, options) for _ in range(count)]

    def map(self, chunks: Iterable[Any]) -> Iterator[Any]:
        """Yield the results in the chunks' order.

        Raises the UniAPLError that a worker raised, and one for a worker that ended.
        """
        source, idle = enumerate(chunks), list(self._workers)
        busy: dict[Any, tuple[int, _Worker]] = {}
        done: dict[int, Any] = {}
        wanted = 0
        while True:
            at_once = wanted in done or not busy
            for connection in wait(list(busy), 0 if at_once else None):
                number, worker = busy.pop(connection)
                done[number] = worker.take()
                idle.append(worker)
            room = AHEAD * len(self._workers) - len(busy) - len(done)
            for number, chunk in islice(source, min(len(idle), room)):
                worker = idle.pop()
                worker.send(chunk)
                busy[worker.connection] = (number, worker)
            if wanted in done:
                yield done.pop(wanted)
                wanted += 1
            elif not busy:
                return

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | object) -> None:
        for worker in self._workers:
            worker.dismiss(at_once=kind is not None)
        for worker in self._workers:
            worker.join()


class _Worker:
    """This side of one process."""

    def __init__(self, start: Start, options: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, start, options), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed here

    def send(self, chunk: Any) -> None:
        """Hand over a chunk."""
        try:
            self.connection.send(chunk)
        except ConnectionError:
            raise self._ended() from None

    def take(self) -> Any:
        """Return the result of the chunk, or raise what its work raised."""
        try:
            result, error = self.connection.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        if error is not None:
            raise error
        return result

    def dismiss(self, *, at_once: bool) -> None:
        """Tell the process to end."""
        self.connection.close()
        if at_once:
            self._process.terminate()

    def join(self) -> None:
        """Wait for its end, which comes."""
        self._process.join(END_SECONDS)
        self._process.kill()
        self._process.join()

    def _ended(self) -> UniAPLError:
        self._process.join(END_SECONDS)
        code = self._process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return UniAPLError(
            f"a worker process ended {how}",
            "If memory ran out, use fewer: filter.workers=N",
            key="filter.workers",
            got=code,
        )


def _work(connection: Connection[Any, Any], start: Start, options: tuple[Any, ...]) -> None:
    """Work on chunks until there are no more. An error that is a bug ends the process."""
    with start(*options) as work:
        while True:
            try:
                chunk = connection.recv()
            except (EOFError, ConnectionError):
                return
            try:
                connection.send((work(chunk), None))
            except UniAPLError as error:
                connection.send((None, error))
