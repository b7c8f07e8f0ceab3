"""The pool of workers."""

from __future__ import annotations

import sys
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
from uniapl_cli.sandbox.folder import Folder
from uniapl_cli.sandbox.worker import Worker

# It needs the interpreter, a module that is not loaded yet, and no memory to speak of.
HONEST = "def evaluate(): import colorsys; return True"


class Sandbox:
    """Runs untrusted code in a few processes that stay.

    `require` names the protections without which it will not start. `packages` are folders that
    imports may come from besides the standard library, readable in the sandbox; `preload` names
    modules that every call finds imported. `mechanisms` is for tests of one mechanism alone. Raises
    SandboxError off Linux, where a protection is missing, and where honest code would fail.

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
        preload: Sequence[str] = (),
        mechanisms: Collection[Mechanism] = MECHANISMS,
    ) -> None:
        if not sys.platform.startswith("linux"):
            raise SandboxError(
                f"the sandbox needs Linux, this is {sys.platform}",
                "Use a container",
                got=sys.platform,
            )
        if workers < 1:
            raise SandboxError(
                f"the sandbox needs at least 1 worker, not {workers}",
                key="sandbox.workers",
                got=workers,
            )
        self.limits = limits or Limits()
        self._lock, self._closed = threading.Lock(), False
        self._folder = Folder()
        imports = {"packages": [str(path.resolve()) for path in packages], "preload": list(preload)}
        self._workers = [
            Worker(self._folder.path, self.limits, mechanisms, imports) for _ in range(workers)
        ]
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
        self._try_out()

    def _try_out(self) -> None:
        """Refuse to start where a function that does nothing would fail, as every row would."""
        (outcome,) = self.run([Call(HONEST)])
        if outcome.error is None:
            return
        user = self.capabilities.mechanisms["user"]
        if "cannot read" in user:
            raise SandboxError(
                f"the sandbox runs as {user.removeprefix('on: ')} at {sys.base_prefix}",
                "Use a Python that every user can read, or be another user than root",
                got=sys.base_prefix,
            )
        raise SandboxError(
            f"a function that only returns True fails in the sandbox: {outcome.error}",
            f"sandbox.memory_mb={self.limits.memory_mb}, sandbox.cpu_seconds="
            f"{self.limits.cpu_seconds} or sandbox.seconds={self.limits.seconds:g} may be too low",
            got=outcome.error,
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
        self._folder.remove()

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
