"""uniapl started as several processes, as torchrun would: each is told its number."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def numbers(rank: int, world: int) -> dict[str, str]:
    """What torchrun tells one of several processes on this machine."""
    named = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    return {name: str(value) for name, value in named.items()}


def launch(
    words: Sequence[str],
    world: int = 2,
    seconds: float = 600.0,
    of_rank: Sequence[Mapping[str, str]] = (),
) -> list[subprocess.CompletedProcess[str]]:
    """Run `uniapl WORDS` as so many ranks; return how each ended and what it said.

    of_rank: for each, what its environment has beside; else what torchrun tells it.
    """
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    given = of_rank or [numbers(rank, world) for rank in range(world)]
    command = [sys.executable, "-m", "uniapl_cli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen(command, env={**os.environ, **meeting, **own}, **pipes)  # type: ignore[call-overload]
        for own in given
    ]
    try:
        said = [one.communicate(timeout=seconds) for one in running]
    finally:
        for one in running:
            one.kill()
    pairs = zip(running, said, strict=True)
    return [subprocess.CompletedProcess(one.args, one.returncode, *texts) for one, texts in pairs]
