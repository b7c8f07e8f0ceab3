"""A server's processes, which end with this one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from uniapl_cli.errors import ServerError
from uniapl_cli.serving import keeper

# Seconds beyond its grace in which a server's group has ended.
AFTER = 10.0


def find_program(name: str) -> str:
    """Return the path of a program. Raises ServerError."""
    found = shutil.which(name)
    if found is None:
        raise ServerError(
            f"there is no program '{name}'",
            "Install vLLM into an environment of its own, and name its command: "
            "--vllm ENVIRONMENT/bin/vllm",
            got=name,
        )
    return found


def run(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a server until it ends, which is a ServerError, or until KeyboardInterrupt.

    What it says goes to stderr. Its whole process group ends with it, and with this process
    whichever way that ends.
    """
    command = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), *words]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=2,
        env={**os.environ, **environment},
        start_new_session=True,  # Ctrl-C is for this process alone
    )
    assert process.stdin is not None, "it is a pipe"
    try:
        ended = process.wait()
    finally:
        process.stdin.close()
        process.wait(keeper.GRACE + AFTER)
    raise ServerError(
        f"the server ended by itself, with {ended}",
        "What it said last stands above",
        got=ended,
    )


def typed(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return a command as it is typed, its variables before it."""
    set_before = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
    return " ".join([*set_before, shlex.join(words)])
