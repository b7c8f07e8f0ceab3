"""The pool of workers."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType

from uniapl_cli.sandbox.call import (
    MECHANISMS,
    PROTECTIONS,
    Call,
    Capabilities,
    Limits,
    Mechanism,
    Outcome,
    Program,
    Protection,
    SandboxError,
)
from uniapl_cli.sandbox.worker import Worker


class Sandbox:
    """Runs untrusted code in a few processes that stay.

    `require` names the protections without which it will not start; `packages` are folders that
    imports may come from besides the standard library, readable in the sandbox; `mechanisms` is for
    tests of one mechanism alone. Raises SandboxError off Linux, and where a protection is missing.

        with Sandbox(Limits(seconds=2), workers=4) as box:
            outcomes = box.run([Call("def evaluate(text): return len(text) < 9", args=("hello",))])
    """

    def __init__(
        self,
        limits: Limits | None = None,
        workers: int = 2,
        *,
        require: Collection[Protection] = PROTECTIONS,
        packages: Sequence[Path] = (),
        mechanisms: Collection[Mechanism] = MECHANISMS,
    ) -> None:
        if not sys.platform.startswith("linux"):
            raise SandboxError(
                f"the sandbox needs Linux, this is {sys.platform}",
                "Use a container",
                got=sys.platform,
            )
        self.limits = limits or Limits()
        self._lock, self._closed = threading.Lock(), False
        self._folder = tempfile.TemporaryDirectory(prefix="uniapl-sandbox-")
        folder = Path(self._folder.name)
        folder.chmod(0o555)  # the workers see it as nobody
        paths = [str(path.resolve()) for path in packages]
        self._workers = [Worker(folder, self.limits, mechanisms, paths) for _ in range(workers)]
        try:
            self._start(require)
        except BaseException:
            self.close()
            raise

    def _start(self, require: Collection[Protection]) -> None:
        with ThreadPoolExecutor(len(self._workers)) as threads:
            list(threads.map(Worker.start, self._workers))
        missing = [name for name in require if name not in self.capabilities.protections]
        if missing:
            raise SandboxError(
                f"this kernel does not let the sandbox protect: {', '.join(missing)}",
                f"{self.capabilities}. To run code that is trusted, leave them out of `require`.",
                got=missing,
                allowed=sorted(self.capabilities.protections),
            )

    @property
    def capabilities(self) -> Capabilities:
        """What is enforced on this kernel, and by what."""
        return self._workers[0].capabilities

    @property
    def pids(self) -> list[int]:
        """The ids of the workers' processes."""
        return [worker.pid for worker in self._workers]

    def run(self, calls: Iterable[Call | Program]) -> list[Outcome]:
        """Run all calls, as many at a time as there are workers; outcomes are in their order."""
        todo = deque(enumerate(calls))
        outcomes: dict[int, Outcome] = {}
        busy: dict[Worker, int] = {}
        with self._lock:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            idle = list(self._workers)
            try:
                while todo or busy:
                    while todo and idle:
                        worker = idle.pop()
                        busy[worker], call = todo.popleft()
                        worker.send(call)
                    for worker in _ready(busy):
                        outcomes[busy[worker]] = worker.take()
                        del busy[worker]
                        idle.append(worker)
            finally:
                for worker in busy:  # interrupted: nobody will want these outcomes
                    worker.restart()
        return [outcomes[index] for index in range(len(outcomes))]

    def run_program(self, source: str, stdin: str = "") -> Outcome:
        """Run one program."""
        return self.run([Program(source, stdin)])[0]

    def close(self) -> None:
        """End the workers. The sandbox is of no use afterwards."""
        self._closed = True
        for worker in self._workers:
            worker.stop()
        self._folder.cleanup()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def capabilities() -> Capabilities:
    """Start a worker to see what this kernel lets the sandbox enforce."""
    with Sandbox(workers=1, require=()) as box:
        return box.capabilities


def _ready(busy: Collection[Worker]) -> list[Worker]:
    """Wait until a worker has something to take, or is overdue; return all such."""
    left = max(0.0, min(worker.due for worker in busy) - time.monotonic())
    readable = wait([worker.fileno() for worker in busy], left)
    now = time.monotonic()
    return [worker for worker in busy if worker.fileno() in readable or worker.due <= now]
