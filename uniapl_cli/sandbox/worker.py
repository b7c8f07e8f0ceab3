"""The pool's side of one worker process: start it, hand it a call, take the outcome."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from uniapl_cli.sandbox.call import (
    MECHANISMS,
    Call,
    Capabilities,
    Limits,
    Outcome,
    Program,
    SandboxError,
)
from uniapl_cli.sandbox.inside.wire import receive, send

# The packages are empty modules: what their __init__ imports would only make each fork dearer.
BOOT = """
import json, sys, types
for name in ("uniapl_cli", "uniapl_cli.sandbox"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["uniapl_cli.sandbox"].__path__ = [sys.argv[2]]
from uniapl_cli.sandbox.inside.serve import main
main(json.loads(sys.argv[1]))
"""
# Numerical libraries would start threads, which the sandbox refuses; some packages want a home.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "HOME": "/nonexistent",
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
}
HERE = str(Path(__file__).parent)
START_SECONDS, GRACE_SECONDS = 30.0, 5.0


class Worker:
    """A process that runs one call at a time; one that dies is replaced."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        mechanisms: Collection[str],
        imports: Mapping[str, Sequence[str]],
    ) -> None:
        self._folder, self._limits = folder, limits
        self._mechanisms, self._imports = list(mechanisms), imports
        self._due = self._sent = 0.0
        self._call: Call | Program = Program("")
        self._process: subprocess.Popen[bytes] | None = None
        self.capabilities = Capabilities()

    def start(self) -> None:
        """Start the process, without the mechanisms that the kernel turns out not to allow."""
        refused: dict[str, str] = {}
        while True:
            reply = self._spawn([name for name in self._mechanisms if name not in refused])
            if "unavailable" not in reply:
                break
            self.stop()
            refused[reply["unavailable"]] = f"off: {reply['why']}"
        off: dict[str, str] = {name: refused.get(name, "off: not asked for") for name in MECHANISMS}
        self.capabilities = Capabilities(
            frozenset(reply["protections"]), {**off, **reply["mechanisms"]}
        )

    def _spawn(self, mechanisms: list[str]) -> dict[str, Any]:
        config = {**_numbers(self._limits), "mechanisms": mechanisms, **self._imports}
        # No -I: it would ignore PYTHONHASHSEED, and a function over a set would not repeat itself.
        options = ["-s", "-S", "-P", "-B", "-X", "utf8"]
        self._process = subprocess.Popen(
            [sys.executable, *options, "-c", BOOT, json.dumps(config), HERE],
            env=ENVIRONMENT,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._due = time.monotonic() + START_SECONDS
        reply = self._take()
        if reply is None:
            raise SandboxError(f"the sandbox's worker did not start: it {self._end()}")
        if "unimportable" in reply:
            self.stop()
            raise SandboxError(
                f"the sandbox cannot import '{reply['unimportable']}': {reply['why']}",
                key="sandbox.packages",
                got=reply["unimportable"],
            )
        return reply

    def send(self, call: Call | Program) -> None:
        """Hand over a call."""
        kind = "program" if isinstance(call, Program) else "call"
        self._call, self._sent = call, time.monotonic()
        limits = call.limits or self._limits
        self._due = self._sent + limits.seconds + GRACE_SECONDS
        request = {"stdin": "", **asdict(call), "kind": kind, "limits": _numbers(limits)}
        with suppress(BrokenPipeError):  # `take` notices
            send(self._pipe("stdin"), request)

    def take(self) -> Outcome:
        """Wait for the outcome; it is an error when a second worker dies or hangs over the call."""
        started, reply = self._sent, self._take()
        if reply is None:  # the worker may have died of an earlier call
            self.restart()
            self.send(self._call)
            reply = self._take()
        if reply is None:
            error = f"the sandbox's worker {self._end()}"
            self.start()
            return Outcome(None, error, time.monotonic() - started)
        if reply.pop("last"):
            self.restart()
        return Outcome(**reply)

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None, "started"
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to take."""
        return self._pipe("stdout")

    @property
    def due(self) -> float:
        """When, on the monotonic clock, the outcome is overdue."""
        return self._due

    def restart(self) -> None:
        """Replace the process by a fresh one."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the process, and with it all that it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                assert pipe is not None
                pipe.close()
            self._process = None

    def _take(self) -> Any:
        """Read a message; None when there is none by the time it is due, or never will be."""
        left = max(0.0, self._due - time.monotonic())
        if not wait([self.fileno()], left):
            return None
        try:
            return receive(self.fileno())
        except (EOFError, ValueError):
            return None

    def _end(self) -> str:
        """Stop the process; return how it ended, with its last line where it failed to start."""
        process = self._process
        assert process is not None and process.stderr is not None
        try:
            how = f"ended (exit code {process.wait(timeout=0.2)})"
            lines = process.stderr.read().decode(errors="replace").split("\n")
            how = ": ".join([how, *filter(None, lines[-2:])])
        except subprocess.TimeoutExpired:
            how = "did not answer in time"
        self.stop()
        return how

    def _pipe(self, name: str) -> int:
        return int(getattr(self._process, name).fileno())


def _numbers(limits: Limits) -> dict[str, Any]:
    return limits.model_dump(include=set(Limits.model_fields))
