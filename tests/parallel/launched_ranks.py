"""Commands that several processes run, as torch's launcher starts them; see rank_server.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Seconds that any command may take; the machine may be busy.
LONGEST = 180.0


@dataclass(frozen=True)
class Ended:
    """A command that has ended: exit codes of the launcher and of each rank, and what was said."""

    folder: Path
    code: int
    seconds: float

    @property
    def seconds_after_trouble(self) -> float:
        """How long it lived with what one of its ranks was given."""
        times = [(self.folder / name).stat().st_mtime for name in ("trouble", "code")]
        return times[1] - times[0]

    @property
    def codes(self) -> list[int | None]:
        """The exit code of each rank; None of one that was killed."""
        ranks = sorted(path.name.removeprefix("pid-") for path in self.folder.glob("pid-*"))
        files = [self.folder / f"code-{rank}" for rank in ranks]
        return [int(file.read_text()) if file.exists() else None for file in files]

    def codes_in_time(self, ranks: int, seconds: float) -> list[int | None]:
        """Return the ranks' exit codes, of which some may live longer than the launcher."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and None in self.codes[:ranks]:
            time.sleep(0.1)
        return self.codes

    @property
    def stdout(self) -> str:
        """What was printed as a result."""
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """All that was said, by the launcher too."""
        return (self.folder / "stderr").read_text()

    @property
    def said(self) -> list[str]:
        """What uniapl said, by line; the launcher's lines are those of its log and after it."""
        lines = self.stderr.splitlines()
        own = ("W1", "E1", "I1", "W0", "E0", "I0", "[rank", "[W", "[E")
        ends = next((n for n, line in enumerate(lines) if line.startswith("Traceback")), len(lines))
        return [line for line in lines[:ends] if not line.startswith(own) and line.strip()]

    @property
    def block(self) -> str:
        """What the launcher said of the failure."""
        return self.stderr.partition("Root Cause")[2]


@dataclass
class Running:
    """A command that runs."""

    folder: Path
    began: float

    def pid(self, rank: int | None = None) -> int:
        """Return the process of a rank, or of the launcher, waiting until it is there."""
        return int(_wait(self.folder / ("pid" if rank is None else f"pid-{rank}")))

    def ended(self) -> Ended:
        """Wait for its end."""
        code = int(_wait(self.folder / "code"))
        return Ended(self.folder, code, time.monotonic() - self.began)


class RankServer:
    """Starts commands of several ranks in a folder of their own; see rank_server.py."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "rank_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def start(self, *argv: str, **job: Any) -> Running:
        """Start a command on two ranks; `job` has the other fields of a Job."""
        self.count += 1
        out = self.folder / f"job-{self.count}"
        out.mkdir()
        line = json.dumps({"out": str(out), "argv": argv, **job}) + "\n"
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        return Running(out, time.monotonic())

    def run(self, *argv: str, **job: Any) -> Ended:
        """Run a command to its end."""
        return self.start(*argv, **job).ended()

    def close(self) -> None:
        """End it, and what it has started."""
        for out in self.folder.glob("job-*"):
            if not (out / "code").exists():
                for file in out.glob("pid*"):
                    _kill(int(file.read_text()))
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wait(path: Path) -> str:
    until = time.monotonic() + LONGEST
    while not path.exists():
        assert time.monotonic() < until, f"no {path.name} after {LONGEST:.0f} s"
        time.sleep(0.05)
    return path.read_text()
