"""Starts commands as torchrun does, quickly: each rank is forked from a process that has imported.

    python rank_server.py

It reads a line of JSON for each command (see `Job`), and starts torch's own launcher in a process
that is the launcher alone; the command's folder gets its id (`pid`), what was said (`stdout`,
`stderr`), the launcher's exit code (`code`), and of each rank its id and exit code (`pid-1`,
`code-1`). A rank can be given trouble at a place of its work; see `troubled`.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}


@dataclass
class Job:
    """A command. trouble: for one rank: `rank`, `at` or `file`, `step`, `do`; see `troubled`."""

    out: str
    argv: list[str]
    ranks: int = 2  # 0: without a launcher
    restarts: int = 0
    endpoint: str = "localhost:0"
    environment: dict[str, str] = field(default_factory=dict)
    trouble: dict[str, Any] | None = None


def main() -> None:
    """Start what is asked for, until nobody asks any more."""
    import torch  # noqa: F401  once, before anything is forked
    import torch.distributed.run  # noqa: F401

    import uniapl_cli.cli.app
    import uniapl_cli.commands.train
    import uniapl_cli.ranks.joining
    import uniapl_cli.ranks.together  # noqa: F401

    started: dict[int, Path] = {}
    print("ready", flush=True)
    pending, open_ = b"", True
    while open_ or started:
        if open_ and select.select([0], [], [], 0.05)[0]:
            read = os.read(0, 1 << 16)
            open_, pending = bool(read), pending + read
        elif not open_:
            time.sleep(0.05)
        *lines, pending = pending.split(b"\n")
        for line in lines:
            job = Job(**json.loads(line))
            started[pid := launcher(job)] = Path(job.out)
            write(Path(job.out) / "pid", pid)
        while started:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            write(started.pop(pid) / "code", os.waitstatus_to_exitcode(status))


def write(path: Path, number: int) -> None:
    scratch = path.with_suffix(".tmp")
    scratch.write_text(str(number))
    scratch.rename(path)


def launcher(job: Job) -> int:
    """Start a job's launcher; return its process."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    os.setsid()
    code = 1
    try:
        out = Path(job.out)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(out / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        os.environ.update(job.environment)
        launch(job)
        code = 0
    except BaseException as error:  # noqa: BLE001  told, as the interpreter would
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(code)


def launch(job: Job) -> None:
    """Be torchrun."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import record
    from torch.distributed.launcher.api import LaunchConfig, launch_agent

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=job.ranks,
        run_id=str(os.getpid()),
        rdzv_backend="c10d",
        rdzv_endpoint=job.endpoint,
        max_restarts=job.restarts,
        start_method="fork",
        local_addr="localhost",
        logs_specs=DefaultLogsSpecs(log_dir=str(Path(job.out) / "launcher")),
    )

    @record
    def main() -> None:
        launch_agent(config, work, [job])

    if job.ranks:
        main()
    else:
        work(job)


def work(job: Job) -> None:
    """Be a rank."""
    rank, out, leave = os.environ.get("RANK", "0"), Path(job.out), os._exit
    write(out / f"pid-{rank}", os.getpid())

    def leaves(code: int) -> None:
        write(out / f"code-{rank}", code)
        leave(code)

    os._exit = leaves  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)  # rather than the launcher's
    ctypes.CDLL(None).prctl(1, 0)  # torchrun's ranks are not ended with it, those of a fork are
    trouble = job.trouble or {}
    if (
        trouble.get("rank") == int(rank)
        and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    ):
        troubled(out, **{key: value for key, value in trouble.items() if key != "rank"})
    from uniapl_cli.cli import app

    sys.argv = ["uniapl", *job.argv]
    try:
        app.main()
    except SystemExit as end:
        write(out / f"code-{rank}", int(end.code or 0))
        if end.code:
            leave(int(end.code))


def troubled(
    out: Path, do: str, at: str = "", step: int = 1, file: str = "", seconds: float = 600.0
) -> None:
    """Have `do` happen once: at a place of a step, as soon as there is a file, or at the start.

    at: the name of a gathering or a sum, before which it happens; "a pass": before one forward and
    back. file: a pattern.
    """
    action = actions(out, seconds)[do]

    def act() -> None:
        write(out / "trouble", 0)
        action()

    if not at and not file:
        act()
        return
    if file:
        threading.Thread(target=when, args=(file, act), daemon=True).start()
        return
    from uniapl_cli.ranks.together import Together

    due = [True]

    def before(call: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def called(self: Any, *given: Any, **named: Any) -> Any:
            if due and name(*given) == at and self.step + 1 == step:
                due.clear()
                act()
            return call(self, *given, **named)

        return called

    Together.reducing = before(Together.reducing, lambda last: "a pass")  # type: ignore[method-assign]
    Together.sum = before(Together.sum, lambda tensors, doing: doing)  # type: ignore[method-assign]
    Together._exchange = before(Together._exchange, lambda mine: mine.doing)  # type: ignore[method-assign]


def actions(out: Path, seconds: float) -> dict[str, Callable[[], None]]:
    from uniapl_cli.errors import TrainingError

    def fail(error: Exception) -> None:
        raise error

    here, launcher = os.getpid(), os.getppid()

    def twice() -> None:
        for _ in range(2):
            os.kill(launcher, signal.SIGTERM)
            time.sleep(0.5)

    return {
        "kill": lambda: os.kill(here, signal.SIGKILL),
        "term": lambda: os.kill(here, signal.SIGTERM),
        "kill launcher": lambda: os.kill(launcher, signal.SIGKILL),
        "term launcher": lambda: os.kill(launcher, signal.SIGTERM),
        "term launcher twice": twice,
        "int launcher": lambda: os.kill(launcher, signal.SIGINT),
        "bug": lambda: fail(KeyError("nothing")),
        "error": lambda: fail(TrainingError("it is wrong", "Mend it")),
        "sleep": lambda: time.sleep(seconds),
        "be elsewhere": lambda: os.chdir(out),
        "stand still": lambda: os.kill(here, signal.SIGSTOP),
    }


def when(pattern: str, act: Callable[[], None]) -> None:
    """Act as soon as there is such a file."""
    while not any(Path().glob(pattern)):
        time.sleep(0.001)
    act()


if __name__ == "__main__":
    main()
