"""The other end of worker.py: starts an engine's process, sends it rounds, and ends it whole."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO, Any

WORKER = Path(__file__).with_name("worker.py")
# Nothing is fetched while the clock runs, and one thread computes.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
TICKS = os.sysconf("SC_CLK_TCK")
TIMES = range(12, 16)  # utime, stime, cutime, cstime of /proc/PID/stat, the name left out


class EngineFailed(Exception):
    """An engine's process ended, or did not answer in time."""


class Contestant:
    """One engine's process and its children, in a session of their own."""

    def __init__(self, python: str, engine: str, job: Path, log: Path, limit: float) -> None:
        self.engine, self.log, self.limit = engine, log, limit
        self.said: IO[bytes] = log.open("wb")
        self.process = subprocess.Popen(
            [python, str(WORKER), engine, str(job)],
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            start_new_session=True,
        )

    def answer(self) -> dict[str, Any]:
        """Return its next line. Raises EngineFailed."""
        timer = threading.Timer(self.limit, self.end)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            self.end()
            last = self.log.read_text(errors="replace").strip().splitlines() or ["nothing"]
            raise EngineFailed(f"{self.engine} ended without an answer; it said: {last[-1][:300]}")
        return json.loads(line)

    def work(self) -> dict[str, Any]:
        """Return the figures of one round, with the CPU seconds of it and of all others."""
        before, machine = self.cpu_seconds(), busy_seconds()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        figures = self.answer()
        spent = self.cpu_seconds() - before
        figures["cpu_seconds"] = spent
        # Cores that other work took meanwhile: what makes the wall clock say too little.
        figures["others"] = (busy_seconds() - machine - spent) / figures["seconds"]
        return figures

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of it and of its descendants so far, ended ones included."""
        table = {int(fields[0]): fields for fields in processes()}
        family = {self.process.pid}
        for _ in table:  # until no process finds a parent any more
            more = {pid for pid, fields in table.items() if int(fields[2]) in family} - family
            if not more:
                break
            family |= more
        # Times of the user and the system, and those of children that have been waited for.
        return sum(int(table[pid][at]) for pid in family & table.keys() for at in TIMES) / TICKS

    def end(self, patience: float = 0) -> None:
        """Let it end itself for `patience` seconds, then kill every process of its session."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.said.close()


def processes() -> list[list[str]]:
    """Return the fields of /proc/PID/stat of every process, without its name: pid, state, ppid."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, _, rest = file.read_text().partition(" (")
            found.append([pid, *rest.rpartition(")")[2].split()])
    return found


def busy_seconds() -> float:
    """Return the seconds that all cores together have computed since the machine started."""
    user, nice, system, _idle, _waiting, irq, softirq, *_ = (
        int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / TICKS
