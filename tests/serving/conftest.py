"""A stand-in for vLLM's command, which starts an engine that outlives it."""

import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

# It writes what it was started with, and the engine's process; it ends when told in ends.txt.
PROGRAM = f"""\
    #!{sys.executable}
    import json, os, signal, subprocess, sys, time
    from pathlib import Path

    engine = subprocess.Popen([{sys.executable!r}, "-S", "-c", "import time; time.sleep(600)"])
    signals = [signal.getsignal(n) == signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP)]
    started = dict(words=sys.argv[1:], pids=[os.getpid(), engine.pid], group=os.getpgrp())
    started |= dict(signals=signals, variables=dict(os.environ))
    Path("started.tmp").write_text(json.dumps(started))
    Path("started.tmp").rename("started.json")
    while not Path("ends.txt").exists():
        time.sleep(0.02)
    sys.exit(int(Path("ends.txt").read_text()))
"""


@pytest.fixture
def vllm(tmp_path) -> Path:
    """The stand-in's path."""
    path = tmp_path / "vllm"
    path.write_text(textwrap.dedent(PROGRAM))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def alive():
    """alive(pid): whether a process runs; one that only waits to be collected does not."""

    def look(pid: int) -> bool:
        with suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False

    return look


@pytest.fixture(scope="session")
def until():
    """until(condition): wait for it, or fail."""

    def wait(condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait
