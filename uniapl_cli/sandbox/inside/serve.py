"""A worker: confines itself, then forks one process a call, watches it and reports its outcome.

With namespaces, the worker that watches is process 1 of its own: what a call leaves running dies
with one `kill(-1)`, and no signal of a call's reaches the worker.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from uniapl_cli.sandbox.inside import kernel
from uniapl_cli.sandbox.inside.child import answer
from uniapl_cli.sandbox.inside.confine import Unavailable, confine, needs_filter, protections
from uniapl_cli.sandbox.inside.preload import preload
from uniapl_cli.sandbox.inside.seccomp import Filter
from uniapl_cli.sandbox.inside.watch import conclude, watch
from uniapl_cli.sandbox.inside.wire import receive, send

PRELOADED = (
    *("re", "json", "math", "string", "collections", "itertools", "functools", "typing"),
    *("datetime", "unicodedata", "select", "struct", "encodings.idna", "locale"),
)
DESCRIPTORS = 64
# A call that had the processor for less of its time waited.
BUSY = 0.9


@dataclass(frozen=True)
class Pipes:
    """The worker's open files: to and from the pool, the null device, and a file in memory."""

    requests: int
    replies: int
    nothing: int
    stdin: int


def main(config: dict[str, Any]) -> None:
    """Serve the pool until it closes its side of stdin; this is what a worker is started with."""
    pipes = Pipes(os.dup(0), os.dup(1), os.open(os.devnull, os.O_RDWR), os.memfd_create("stdin"))
    os.dup2(pipes.nothing, 0)
    os.dup2(pipes.nothing, 1)
    sys.path += config["packages"]
    for name in PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which does nothing to the first process
    try:
        report, refusals = confine(config["mechanisms"], config["file_mb"])
    except Unavailable as error:
        send(pipes.replies, {"unavailable": error.args[0], "why": error.args[1]})
        return
    if "namespaces" in report:
        _become_first()
    if failure := preload(config["preload"]):
        send(pipes.replies, failure)
        return
    os.dup2(pipes.nothing, 2)  # until here, the pool could read why the start failed
    send(pipes.replies, {"mechanisms": report, "protections": protections(report)})
    os.environ.clear()
    sys.argv[:] = [""]
    for name in [name for name in sys.modules if name.split(".")[0] == "uniapl_cli"]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    gc.disable()
    extra = refusals.call if refusals and needs_filter(report) else None
    _Server(extra, "namespaces" in report, pipes).serve()


def _become_first() -> None:
    """Go on as process 1 of the new namespace, which ends when the process outside does."""
    child = os.fork()
    if child:
        os.closerange(0, DESCRIPTORS)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


class _Server:
    def __init__(self, extra: Filter | None, first: bool, pipes: Pipes) -> None:
        self.extra, self.first, self.pipes = extra, first, pipes

    def serve(self) -> None:
        """Answer calls, one at a time, until the pool hangs up."""
        while True:
            try:
                request = receive(self.pipes.requests)
            except EOFError:
                return
            reply = self._attend(request)
            clean = _emptied(Path())
            send(self.pipes.replies, {**reply, "last": not clean})
            if not clean:
                return  # the folder goes with the worker

    def _attend(self, request: dict[str, Any]) -> dict[str, Any]:
        stdin = self._stdin(request["stdin"])
        result, result_end = os.pipe()
        output, output_end = os.pipe()
        nonce = os.urandom(16)
        started, worker = time.monotonic(), os.getpid()
        child = os.fork()
        if child == 0:
            try:
                self._live(worker, request, stdin, output_end, result_end, nonce)
            finally:
                os._exit(70)
        os.close(result_end)
        os.close(output_end)
        seen = watch(result, output, self.pipes.requests, started, request["limits"])
        status, busy = self._end(child)
        seconds = time.monotonic() - started
        reply = conclude(seen, output, nonce, status, request["limits"])
        os.close(result)
        os.close(output)
        waited = seen.overdue and busy < BUSY * request["limits"]["seconds"]
        return {**reply, "seconds": seconds, "waited": waited}

    def _stdin(self, text: str) -> int:
        if not text:
            return self.pipes.nothing
        os.ftruncate(self.pipes.stdin, 0)
        os.lseek(self.pipes.stdin, 0, os.SEEK_SET)
        left = memoryview(text.encode("utf-8", "surrogatepass"))
        while left:
            left = left[os.write(self.pipes.stdin, left) :]
        os.lseek(self.pipes.stdin, 0, os.SEEK_SET)
        return self.pipes.stdin

    def _live(
        self,
        worker: int,
        request: dict[str, Any],
        stdin: int,
        output: int,
        result: int,
        nonce: bytes,
    ) -> NoReturn:
        # With a process namespace its first process takes the call along; else the kernel does.
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker:
            os._exit(70)
        os.setpgid(0, 0)  # not setsid: with autogroups, that costs as much as the fork
        _redirect(stdin, output, result)
        limit = request["limits"]
        memory, size = limit["memory_mb"] << 20, limit["file_mb"] << 20
        processor = limit["cpu_seconds"]
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NPROC, 1)
        _limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
        _limit(resource.RLIMIT_FSIZE, size)
        _limit(resource.RLIMIT_CPU, processor, processor + 1)
        _limit(resource.RLIMIT_AS, memory)
        if self.extra:
            self.extra.install()
        answer(request, 3, nonce)

    def _end(self, child: int) -> tuple[int, float]:
        """Kill the call's process and its children; return its status and processor seconds."""
        for target in (-1,) if self.first else (-child, child):
            try:
                os.kill(target, signal.SIGKILL)
            except ProcessLookupError:
                continue
        status, busy = 0, 0.0
        while True:
            try:
                ended, how, used = os.wait4(-1 if self.first else child, 0)
            except ChildProcessError:
                return status, busy
            if ended == child:
                status, busy = how, used.ru_utime + used.ru_stime


def _limit(name: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, or keep what is lower already: nobody but root can raise it."""
    allowed = resource.getrlimit(name)[1]
    hard = soft if hard is None else hard
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(name, (soft, hard))


def _emptied(folder: Path) -> bool:
    """Empty the scratch folder; False where that fails, as in one that a call made with mode 0."""
    try:
        _empty(folder)
    except (OSError, RecursionError):
        return False
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _empty(path)
            path.rmdir()
        else:
            path.unlink()


def _redirect(stdin: int, output: int, result: int) -> None:
    """Leave the call stdin, stdout, stderr and the result's pipe, as 3; nothing else."""
    for source, target in ((stdin, 0), (output, 1), (output, 2), (result, 3)):
        os.dup2(source, target)
    os.closerange(4, 1 << 16)
