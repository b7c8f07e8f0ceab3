"""Real vLLM servers, started through `uniapl serve --run`: one at a time, for they are large.

UNIAPL_VLLM names the `vllm` command of an environment, and UNIAPL_SMOLLM2 the folder that
benchmarks/gpu/fetch_smollm2.py makes; `make test-vllm` sets both.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from uniapl_cli.serving import keeper
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy, save_folder

VLLM = os.environ.get("UNIAPL_VLLM", "")
SMOLLM2 = Path(os.environ.get("UNIAPL_SMOLLM2") or "work/smollm2")
HERE = Path(__file__).parent
CPU = ("run.device=cpu", "run.threads=1")
# Seconds in which a server is ready on a busy machine.
READY = 900.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave these tests out where there is no vLLM; those of the same server follow each other."""
    absent = pytest.mark.skip(reason="UNIAPL_VLLM names no vLLM; make test-vllm makes one")
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.vllm)
        if not VLLM:
            item.add_marker(absent)
    first: dict[str, int] = {}
    order = {item: first.setdefault(_server_of(item), len(first)) for item in mine}
    sorted_ones = iter(sorted(mine, key=order.__getitem__))
    items[:] = [next(sorted_ones) if item in order else item for item in items]


def _server_of(item: Any) -> str:
    """The first of a test's fixtures that is a server; else the test itself."""
    return next((name for name in item.fixturenames if name.endswith("_server")), item.nodeid)


class Server:
    """A server, by the words of `uniapl serve` that start it. The address stays at a restart."""

    def __init__(self, words: tuple[str, ...], folder: Path) -> None:
        self.words, self.folder = words, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log: IO[bytes] = (folder / "log.txt").open("ab")
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        words = ["serve", *self.words, *CPU, "--run", "--json", "--vllm", VLLM]
        words += ["--port", str(self.port), "--folder", str(self.folder / "model")]
        # The keeper ends uniapl, and so the server, also where these tests are killed.
        command = [sys.executable, keeper.__file__, sys.executable, "-m", "uniapl_cli", *words]
        said = self.folder / "said.json"
        with said.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=self.log, start_new_session=True
            )
        self.wait_until_ready()
        self.ready = json.loads(said.read_text("utf-8"))

    def wait_until_ready(self) -> None:
        """Return when it answers; fail with what it said if it ends before."""
        deadline = time.monotonic() + READY
        while not self.answers():
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail("no server:\n" + (self.folder / "log.txt").read_text("utf-8")[-3000:])
            time.sleep(0.5)

    def answers(self) -> bool:
        """Whether it says that it is well."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.poll() is None

    def group(self) -> int:
        """The process group of vLLM: the child of the keeper of uniapl, itself a keeper's child."""
        assert self.process is not None
        pid = self.process.pid
        for _ in range(3):
            (pid,) = children(pid)
        return pid

    def crash(self) -> None:
        """Kill all of vLLM's processes, whatever they are doing."""
        assert self.process is not None
        os.killpg(self.group(), signal.SIGKILL)
        self.process.wait(60)

    def stop(self) -> None:
        """End it as SIGTERM does."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait(60)
            self.process = None


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """served("policy", "model.path=tiny:teacher", ...): the server that these words start.

    Any other one is ended first. One that was killed is started again.
    """
    held: list[Server] = []
    failed: set[tuple[str, ...]] = set()

    def get(*words: str) -> Server:
        if words in failed:
            pytest.fail("this server could not be started for an earlier test")
        if held and held[0].words != words:
            held.pop().stop()
        if not held:
            held.append(Server(words, tmp_path_factory.mktemp("server")))
        if not held[0].running():
            failed.add(words)
            held[0].start()
            failed.remove(words)
        return held[0]

    yield get
    for server in held:
        server.stop()


@pytest.fixture
def tied_server(served: Callable[..., Server]) -> Server:
    """tiny:teacher as the policy: heads 32 wide, and a head tied to the embeddings."""
    return served("policy", "model.path=tiny:teacher", "precision=float32")


@pytest.fixture(scope="session")
def untied_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny:teacher with a head that is no embedding."""
    policy = load_policy(resolve("tiny:teacher"), "cpu", "float32")
    head = policy.model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach() * 1.1)
    policy.model.config.tie_word_embeddings = False
    folder = tmp_path_factory.mktemp("untied") / "model"
    save_folder(folder, policy.model, policy.tokenizer)
    return folder


@pytest.fixture
def untied_server(served: Callable[..., Server], untied_folder: Path) -> Server:
    """A policy whose head is no embedding."""
    return served("policy", f"model.path={untied_folder}", "precision=float32")


@pytest.fixture(scope="session")
def smollm2() -> str:
    """The folder of SmolLM2-135M-Instruct, a real model with a tied head."""
    if not (SMOLLM2 / "config.json").is_file():
        pytest.skip("UNIAPL_SMOLLM2 names no folder; benchmarks/gpu/fetch_smollm2.py makes one")
    return str(SMOLLM2)


@pytest.fixture
def smollm2_server(served: Callable[..., Server], smollm2: str) -> Server:
    """SmolLM2 as the policy."""
    limits = ("data.max_prompt_tokens=512", "sampling.max_new_tokens=256")
    return served("policy", f"model.path={smollm2}", "precision=float32", *limits)
