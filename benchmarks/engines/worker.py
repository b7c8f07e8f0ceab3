"""One engine in one process: it loads, says so, and does its work once for each line it is sent.

    python benchmarks/engines/worker.py ENGINE JOB.json

ENGINE is a module of this folder: its `load(job)` returns what does the whole job once a call, and
returns figures of it: `value`, in which all contestants must agree; `cpu_steps` and `steps`, the
seconds of steps; `parts` of them. JOB.json holds what the engine asks for. For each line on
standard input one line of JSON is written, with the seconds and the memory that it took. What
engines print themselves goes to standard error. Other environments run this file too: nothing of
the project is imported here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "transformers", "vllm", "trl", "lm_eval", "math-verify", "nltk", "langdetect")


def versions() -> dict[str, str]:
    """Return those of PACKAGES that the engine has imported."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            if package.replace("-", "_") in sys.modules:
                found[package] = version(package)
    return found


def memory_gib(name: str) -> float:
    """Return VmRSS, or VmHWM, the most since the mark was last put down, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 2**20


def main() -> None:
    name, file = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path[0] = str(Path(__file__).parents[2])  # in place of this folder
    job = json.loads(Path(file).read_text("utf-8"))
    engine = importlib.import_module(f"benchmarks.engines.{name}").load(job)
    print(json.dumps({"versions": versions()}), file=answers)
    for _ in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # the mark of the most memory
        before, began = memory_gib("VmRSS"), time.perf_counter()
        figures = engine()
        figures["seconds"] = time.perf_counter() - began
        figures["peak_gib"] = memory_gib("VmHWM")
        figures["extra_gib"] = figures["peak_gib"] - before
        print(json.dumps(figures), file=answers)


if __name__ == "__main__":
    main()
