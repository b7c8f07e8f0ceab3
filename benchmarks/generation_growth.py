"""How sampling grows with the requests: memory against its budget, time, and who waits how long.

    python -m benchmarks.generation_growth --out benchmarks/results/generation_growth.json
    python -m benchmarks.generation_growth --sizes 64,256

256, 1,024 and 4,096 requests, each number in a process of its own, of a random model of the shape
of tiny:teacher. Prompts have 16 to 192 tokens. A response ends where one of 8 tokens of 1,024 is
drawn, which a random model does once in 128 tokens or so, or after 256: lengths are mixed, and
nobody knows them before. The budget is of 16,384 tokens of keys and values, so most requests wait.
Beside the results a plot is drawn, as an SVG of the same name.

`starts_late`: the queue is worked through in an order of the engine's. A request is late by the
tokens that have been drawn when it starts, less those of all requests before it in the queue; the
latest is given, as a share of all tokens. At 0 nobody has waited for anyone behind. `slowest`:
steps from the start of a request to its end, divided by its tokens; 1 is without a pause.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.engines.machine import machine
from benchmarks.growth_plot import draw_plot
from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.generation.cache import RowCache
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.rows import Rows
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Sampling

SIZES = "256,1024,4096"
BUDGET = 16384
NEW, PROMPT, STOPS = 256, (16, 192), 8
POINTS = 512  # of a curve that is kept


class Watch:
    """Sees each request start and end, and what the cache holds, from inside the engine."""

    def __init__(self) -> None:
        self.tokens = self.steps = 0
        self.columns: list[tuple[int, int]] = []  # (tokens drawn, rows x columns)
        self.bytes = 0
        self.started: dict[int, tuple[int, int]] = {}  # request: (tokens drawn, steps)
        self.ended: dict[int, int] = {}  # request: steps
        self.given_up = 0
        self._wrap(Rows, "admit", self._admit)
        self._wrap(Rows, "draw", self._draw)
        self._wrap(Rows, "release", self._release)
        self._wrap(RowCache, "arrange", self._arrange)

    def _wrap(self, owner: type, name: str, see: Any) -> None:
        plain = getattr(owner, name)

        def seeing(engine: Any, *arguments: Any) -> Any:
            result = plain(engine, *arguments)
            see(engine, result, *arguments)
            return result

        setattr(owner, name, seeing)

    def _admit(self, _rows: Any, _result: None, _indices: Any, samples: Any) -> None:
        for sample in samples:
            self.started.setdefault(sample.index, (self.tokens, self.steps))

    def _draw(self, rows: Any, _result: None) -> None:
        self.steps += 1
        self.tokens += len(rows.busy)

    def _release(self, _rows: Any, samples: Any, _indices: Any) -> None:
        for sample in samples:
            if sample.stopped or len(sample.tokens) == sample.limit:
                self.ended[sample.index] = self.steps
            else:
                self.given_up += 1

    def _arrange(self, cache: Any, *_: Any) -> None:
        layers = cache.model_cache.layers
        now = sum(slab.nbytes for layer in layers for slab in layer.slabs)
        self.bytes = max(self.bytes, now)
        self.columns.append((self.tokens, cache.rows * cache.capacity))


def requests_of(count: int) -> list[Request]:
    rng = random.Random(0)
    return [
        Request(tuple(rng.randrange(STOPS, 1000) for _ in range(rng.randint(*PROMPT))), (number,))
        for number in range(count)
    ]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(count: int) -> dict[str, Any]:
    """Answer so many requests in this process; return the figures."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = resolve("tiny:teacher")
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).eval()
    generator = LocalGenerator(model, Chat(load_tokenizer(folder)), batch_tokens=BUDGET)
    generator.stop_ids = set(range(STOPS))
    list(generator.generate(requests_of(4), Sampling(max_new_tokens=8)))
    requests, watch, before = requests_of(count), Watch(), peak_mb()
    began, cpu = time.perf_counter(), time.process_time()
    answers = dict(generator.generate(requests, Sampling(max_new_tokens=NEW)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    tokens = [len(answers[index][0].token_ids) for index in range(count)]
    held = max(columns for _, columns in watch.columns)
    return {
        "requests": count,
        "tokens": sum(tokens),
        "shortest": min(tokens),
        "longest": max(tokens),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "tokens_per_second": round(sum(tokens) / seconds),
        "tokens_per_cpu_second": round(sum(tokens) / cpu),
        "peak_growth_mb": round(peak_mb() - before, 1),
        "cache_tokens": held,
        "cache_of_budget": round(held / BUDGET, 3),
        "cache_mb": round(watch.bytes / 2**20, 1),
        "rows_at_a_time": round(watch.tokens / watch.steps, 1),
        **waiting(watch, tokens),
    }


def waiting(watch: Watch, tokens: list[int]) -> dict[str, Any]:
    """Return how late requests start and how long they take, and the curves for the plot."""
    total = sum(tokens)
    queue = sorted(watch.started, key=lambda index: watch.started[index])
    before, late, curve = 0, [], []
    for index in queue:
        start = watch.started[index][0]
        late.append((start - before) / total)
        curve.append((round(before / total, 4), round(start / total, 4)))
        before += tokens[index]
    took = [(watch.ended[i] - watch.started[i][1]) / tokens[i] for i in queue]
    return {
        "never_ended": len(tokens) - len(watch.ended),
        "starts_late": round(max(late), 4),
        "slowest": round(max(took), 2),
        "given_up": watch.given_up,
        "starts": thinned(curve),
        "cache": thinned([(round(at / total, 4), held) for at, held in watch.columns]),
    }


def thinned(points: list[Any]) -> list[Any]:
    return points[:: max(1, len(points) // POINTS)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=SIZES, help="numbers of requests, with commas")
    parser.add_argument("--out", type=Path, help="file for the results; the plot goes beside it")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    runs = []
    for size in options.sizes.split(","):
        command = [sys.executable, "-m", "benchmarks.generation_growth", "--one", size]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        runs.append(json.loads(done.stdout))
        print({key: value for key, value in runs[-1].items() if key not in ("starts", "cache")})
    speeds = [run["tokens_per_second"] for run in runs]
    print(f"tokens a second, least by most: {min(speeds) / max(speeds):.2f}")
    if options.out:
        command = " ".join(["python -m benchmarks.generation_growth", *sys.argv[1:]])
        result = {"command": command, "machine": machine(), "budget_tokens": BUDGET, "runs": runs}
        options.out.write_text(json.dumps(result) + "\n", "utf-8")
        options.out.with_suffix(".svg").write_text(draw_plot(runs, BUDGET), "utf-8")


if __name__ == "__main__":
    main()
