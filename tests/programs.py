"""uniapl in processes of its own that need not import everything anew: forks of one that has.

Each has its own arguments, environment, folder, limits, session and exit, as the real program has.
What they do not show: that it starts from nothing, plug-ins (which are to be loaded before the
schema), and what is read from the environment at import. Run as a file, this is what is forked.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

NUMBER = struct.Struct("q")
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Program:
    """A running one: the part of subprocess.Popen that tests use."""

    def __init__(self, status: int, files: Sequence[IO[str]]) -> None:
        self._status, self._files = status, files
        (self.pid,) = NUMBER.unpack(os.read(status, NUMBER.size))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, as Popen does: -N for a signal."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("uniapl", timeout or 0)
            (self.returncode,) = NUMBER.unpack(os.read(self._status, NUMBER.size))
            os.close(self._status)
        return self.returncode

    def poll(self) -> int | None:
        """Return how it ended, if it has."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; return what it wrote on stdout and on stderr."""
        self.wait(timeout)
        texts = []
        for file in self._files:
            with file:
                file.seek(0)
                texts.append(file.read())
        return texts[0], texts[1]

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Programs:
    """A process that has imported everything, and starts programs."""

    def __init__(self) -> None:
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])

    def start(
        self,
        words: Sequence[str],
        cwd: Path,
        file_size: int = resource.RLIM_INFINITY,
        env: Mapping[str, str] | None = None,
    ) -> Program:
        """Start one with these words; its files may have so many bytes."""
        files = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115
        environment = {**os.environ, **(env or {})}
        assert "PYTHONPATH" not in (env or {}), "what is imported from there takes a new process"
        request = {
            "words": [*words], "cwd": str(cwd), "file_size": file_size, "env": environment,
        }  # fmt: skip
        status, theirs = os.pipe()
        descriptors = [*(file.fileno() for file in files), theirs]
        socket.send_fds(self._asked, [json.dumps(request).encode()], descriptors)
        os.close(theirs)
        return Program(status, files)

    def close(self) -> None:
        """End the process that starts them."""
        self._asked.close()
        self._process.wait(10)


def asked_for(descriptor: int) -> tuple[Any, list[int]]:
    """Fork for each request; return it, and the descriptors, in the process that is to meet it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as asked:
        while True:
            request, descriptors, *_ = socket.recv_fds(asked, 2**20, 3)
            if not request:
                os._exit(0)
            if not os.fork():
                break
            for number in descriptors:
                os.close(number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *descriptors, status = descriptors
    if child := os.fork():
        os.write(status, NUMBER.pack(child))
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(status, NUMBER.pack(ended))
        os._exit(0)
    os.close(status)
    return json.loads(request), descriptors


def become(request: Any, descriptors: list[int]) -> None:
    """Make this process what was asked for, in a session of its own."""
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, given in enumerate([nothing, *descriptors]):
        os.dup2(given, number)
        os.close(given)
    resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"],) * 2)
    sys.argv = ["uniapl", *request["words"]]
    sys.path[0] = ""


def import_everything() -> None:
    """What the verbs import, and what loading a model imports when it is first done."""
    from uniapl_cli.commands import (  # noqa: F401
        evaluate,
        filter_gt,
        pretrain_polar,
        score,
        teacher_gen,
        train,
    )
    from uniapl_cli.discriminators.polar.polar import Polar
    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.training.policy import load_model

    load_tokenizer(resolve("tiny:base"))
    load_model(resolve("tiny:base"), "cpu")
    Polar(path=resolve("tiny:polar")).make(resolve("tiny:polar"), "cpu")
    gc.collect()
    gc.freeze()  # a fork that collects garbage leaves these alone, and so in common


if __name__ == "__main__":
    from uniapl_cli.cli.app import main

    import_everything()
    become(*asked_for(int(sys.argv[1])))
    main()
