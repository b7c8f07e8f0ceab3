"""Calls a second: the sandbox's pool against one interpreter a call, on the same functions.

Rounds of each contestant take turns in one run, so that a busy machine is busy for all of them.
`workers` calls run at a time for every contestant.

    python -m benchmarks.sandbox_throughput --data ../shared/data/autoif --workers 2
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import truediv
from pathlib import Path

from uniapl_cli.files import read_rows
from uniapl_cli.sandbox import Call, Sandbox, as_verdict

RUNNER = """
import json, sys
source, text = json.load(sys.stdin)
namespace = {"__name__": "__main__"}
exec(source, namespace)
print(json.dumps(namespace["evaluate"](text)))
"""
FILES = ("qwenlm_query_rft", "qwenlm_back_trans", "qwenlm_dpo_query_w_funcs")


def pairs(data: Path) -> list[tuple[str, str]]:
    """Return each distinct function with one of its row's texts."""
    texts_by_source: dict[str, str] = {}
    for name in FILES:
        for row in read_rows(data / f"{name}.jsonl"):
            texts = [text for text, _ in row.values.get("cases", [])]
            texts += row.values.get("gpt-answer", [])
            for source, _ in row.values["eval_func"]:
                texts_by_source.setdefault(source, texts[0])
    return list(texts_by_source.items())


def interpreters(
    options: list[str], workers: int
) -> Callable[[list[tuple[str, str]]], list[object]]:
    def one(pair: tuple[str, str]) -> object:
        command = [sys.executable, *options, "-c", RUNNER]
        done = subprocess.run(command, input=json.dumps(pair), capture_output=True, text=True)
        return as_verdict(json.loads(done.stdout)) if done.returncode == 0 else None

    def run(work: list[tuple[str, str]]) -> list[object]:
        with ThreadPoolExecutor(workers) as threads:
            return list(threads.map(one, work))

    return run


def measure(data: Path, workers: int, rounds: int) -> dict[str, object]:
    work = pairs(data)
    with Sandbox(workers=workers) as box:

        def pool(work: list[tuple[str, str]]) -> list[object]:
            return [o.value for o in box.run(Call(s, args=(t,)) for s, t in work * 5)][: len(work)]

        contestants = {
            "pool": (pool, 5),
            "python": (interpreters([], workers), 1),
            "python -I -S": (interpreters(["-I", "-S"], workers), 1),
        }
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        verdicts: dict[str, list[object]] = {}
        for _ in range(rounds):
            for name, (run, times) in contestants.items():
                started = time.perf_counter()
                verdicts[name] = run(work)
                rates[name].append(len(work) * times / (time.perf_counter() - started))
    assert len({json.dumps(v) for v in verdicts.values()}) == 1, verdicts
    median = {name: round(statistics.median(rate), 1) for name, rate in rates.items()}
    return {
        "command": f"python -m benchmarks.sandbox_throughput --workers {workers} --rounds {rounds}",
        "calls_per_second": median,
        "pool_is_faster_by": {
            name: round(statistics.median(map(truediv, rates["pool"], rates[name])), 1)
            for name in contestants
            if name != "pool"
        },
        "calls_per_second_range": {
            name: [round(min(rate), 1), round(max(rate), 1)] for name, rate in rates.items()
        },
        "functions": len(work),
        "rounds": rounds,
        "workers": workers,
        "sandbox": str(box.capabilities).split("\n"),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}",
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/autoif"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(json.dumps(measure(options.data, options.workers, options.rounds), indent=2))


if __name__ == "__main__":
    main()
