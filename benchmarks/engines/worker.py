"""One engine in one process: it loads, says so, and does its work once for each line it is sent.

    python benchmarks/engines/worker.py ENGINE JOB.json

ENGINE is a module of this folder: its `load(job)` returns what does the whole job once a call, and
returns figures of it, such as the `lengths` of the responses. JOB.json: model (a folder), dtype,
requests ([{prompt_ids, new_tokens}]). For each line on standard input one line of JSON is written,
with the seconds it took. What engines print themselves goes to standard error. vLLM's environment
runs this file too: nothing of the project is imported here.
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

PACKAGES = ("torch", "transformers", "vllm")


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def main() -> None:
    name, file = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path[0] = str(Path(__file__).parents[2])  # in place of this folder
    job = json.loads(Path(file).read_text("utf-8"))
    engine = importlib.import_module(f"benchmarks.engines.{name}").load(job)
    print(json.dumps({"versions": versions()}), file=answers)
    for _ in sys.stdin:
        began = time.perf_counter()
        figures = engine()
        seconds = time.perf_counter() - began
        print(json.dumps({**figures, "seconds": seconds}), file=answers)


if __name__ == "__main__":
    main()
