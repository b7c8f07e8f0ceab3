"""Tokens a second of sampling a real model: this project, transformers and vLLM, in turn.

    make vllm-env
    python -m benchmarks.generation MODEL --out benchmarks/results/generation.json
    python -m benchmarks.generation MODEL --only ours,vllm --dtypes bfloat16 --rounds 5

MODEL is a folder, such as the one that benchmarks/gpu/fetch_smollm2.py makes. The job is
requests.jsonl: 64 prompts, each with the length that its response is forced to have, all of them
handed over at once; temperature 1, log-probabilities of the drawn tokens included. Each engine is a
process of its own with one computing thread; a round runs every engine once, the machine's matrix
rate among them. Seconds are of the wall clock, so this wants an idle machine: `others` is how many
cores other work took meanwhile. GFLOP count the matrix products of prompts and responses, attention
included; their share is of the larger of two matrix rates, plain and with packed weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.engines.contestant import Contestant, EngineFailed
from benchmarks.engines.job import Job, read_job
from benchmarks.engines.machine import machine

PROJECT = sys.executable
MATRIX, HALF_HEAD = "matrix", "ours_half_head"
# What is called how: the module of benchmarks/engines, and what its job has besides.
ENGINES: dict[str, tuple[str, dict[str, Any]]] = {
    MATRIX: ("matrix", {}),
    "ours": ("ours", {}),
    HALF_HEAD: ("ours", {"half_head": True}),
    "vllm": ("vllm", {}),
    "generate": ("generate", {}),
    "generate_by_length": ("generate", {"oracle": True}),
    "continuous": ("continuous", {}),
}
DTYPES = ("float32", "bfloat16")
LINE = "{:28} {:>9} {:>8} {:>8} {:>12} {:>7}"


class Race:
    """All engines in one dtype, and what each of them said: a line a round."""

    def __init__(self, job: Job, dtype: str, options: argparse.Namespace, scratch: Path) -> None:
        self.job, self.dtype, self.options, self.scratch = job, dtype, options, scratch
        self.running: dict[str, Contestant] = {}
        self.lines: list[dict[str, Any]] = []

    def run(self) -> list[dict[str, Any]]:
        try:
            for name in self.options.engines:
                if name == HALF_HEAD and self.dtype == "float32":
                    continue  # the same as ours
                self.running[name] = self.start(name)
                self.step(name, self.running[name].answer)
            for number in range(self.options.rounds):
                for name in list(self.running):
                    fast = name in (MATRIX, "ours", HALF_HEAD, "vllm")
                    if fast or number < self.options.slow_rounds:
                        self.step(name, self.running[name].work, round=number)
        finally:
            for contestant in self.running.values():
                contestant.end(patience=15)
        return self.lines

    def start(self, name: str) -> Contestant:
        module, more = ENGINES[name]
        job = {"model": self.job.model, "dtype": self.dtype, "requests": self.job.requests}
        file = self.scratch / f"{name}.json"
        file.write_text(json.dumps({**job, **more}))
        python = str(self.options.vllm) if module == "vllm" else PROJECT
        log = self.scratch / f"{name}.log"
        return Contestant(python, module, file, log, self.options.limit)

    def step(self, name: str, ask: Callable[[], dict[str, Any]], **line: Any) -> None:
        """Take an engine's answer; one that fails leaves a line with `error` and is out."""
        try:
            figures = ask()
            lengths = figures.pop("lengths", None)
            if lengths is not None:
                figures["tokens"] = sum(lengths)
                if lengths != self.job.lengths:
                    figures["error"] = "responses of other lengths than were asked for"
        except EngineFailed as error:
            del self.running[name]
            figures = {"error": str(error)}
        self.lines.append({"dtype": self.dtype, "engine": name, **line, **rounded(figures)})
        print(json.dumps(self.lines[-1]), flush=True)


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def summary(job: Job, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each dtype and engine: medians of its rounds, and ratios."""
    rounds = [line for line in lines if "seconds" in line and "error" not in line]
    rows = []
    for dtype in dict.fromkeys(line["dtype"] for line in rounds):
        of: dict[str, list[dict[str, Any]]] = {}
        for line in rounds:
            if line["dtype"] == dtype:
                of.setdefault(line["engine"], []).append(line)
        rates = matrix_rates(of.pop(MATRIX, []))
        vllm = median(of.get("vllm", []), "seconds")
        rows += [
            {"dtype": dtype, "engine": name, **row(job, own, vllm, max(rates.values(), default=0))}
            | {"matrix_gflops": rates}
            for name, own in of.items()
        ]
    return rows


def row(job: Job, own: list[dict[str, Any]], vllm: float, ceiling: float) -> dict[str, Any]:
    """Return an engine's figures. own: its rounds; vllm: seconds, 0 where it did not run."""
    seconds = median(own, "seconds")
    gflops = job.gflop / seconds
    return {
        "rounds": len(own),
        "tokens_per_second": round(job.tokens / seconds, 1),
        "of_vllm": round(vllm / seconds, 3) if vllm else None,
        "gflops": round(gflops, 1),
        "of_matrix_rate": round(gflops / ceiling, 3) if ceiling else None,
        "tokens_per_cpu_second": round(job.tokens / median(own, "cpu_seconds"), 1),
        "others": round(median(own, "others"), 2),
    }


def median(lines: list[dict[str, Any]], field: str) -> float:
    return statistics.median([line[field] for line in lines] or [0])


def matrix_rates(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Return the best of all rounds, in GFLOP/s: other work can only slow it."""
    kinds = rounds[0]["gflops"] if rounds else ()
    return {kind: round(max(line["gflops"][kind] for line in rounds), 1) for kind in kinds}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows for people to read."""
    lines = [LINE.format("", "tokens/s", "of vLLM", "GFLOP/s", "of the rate", "others")]
    for one in rows:
        ratio = "" if one["of_vllm"] is None else f"{one['of_vllm']:.2f}"
        share = "" if one["of_matrix_rate"] is None else f"{one['of_matrix_rate']:.0%}"
        figures = (f"{one['tokens_per_second']:.0f}", ratio, f"{one['gflops']:.0f}", share)
        name = f"{one['dtype']} {one['engine']}"
        lines.append(LINE.format(name, *figures, f"{one['others']:.1f}"))
    for dtype, rates in {one["dtype"]: one["matrix_gflops"] for one in rows}.items():
        words = ", ".join(f"{kind} {rate:.0f} GFLOP/s" for kind, rate in rates.items())
        lines.append(f"matrix rate in {dtype}: {words or 'not measured'}")
    speeds = {(one["dtype"], one["engine"]): one["tokens_per_second"] for one in rows}
    for engine in dict.fromkeys(one["engine"] for one in rows):
        slow, fast = (speeds.get((dtype, engine)) for dtype in DTYPES)
        if slow and fast:
            lines.append(f"{engine}: bfloat16 is {fast / slow:.2f} times float32")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder of a causal language model with a chat template")
    parser.add_argument(
        "--vllm", type=Path, default=Path(".vllm"), help="what `make vllm-env` made"
    )
    parser.add_argument("--dtypes", default=",".join(DTYPES), help="with commas")
    parser.add_argument("--only", help="engines, with commas; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-rounds", type=int, default=1, help="of transformers' two ways")
    parser.add_argument("--requests", type=int, help="the first N only; default: all 64")
    parser.add_argument("--limit", type=float, default=1200, help="seconds for one answer")
    parser.add_argument("--out", type=Path, help="file for the results")
    options = parser.parse_args()
    options.engines = options.only.split(",") if options.only else [*ENGINES]
    unknown = [name for name in options.engines if name not in ENGINES]
    if unknown:
        parser.error(f"--only: there is no {unknown[0]}; there are {', '.join(ENGINES)}")
    options.vllm = options.vllm / "bin" / "python"
    if "vllm" in options.engines and not options.vllm.exists():
        parser.error(
            f"there is no {options.vllm}: run `make vllm-env`, or leave vllm out by --only"
        )
    return options


def main() -> None:
    options = parse()
    job = read_job(options.model, options.requests)
    with tempfile.TemporaryDirectory() as scratch:
        lines = [
            line
            for dtype in options.dtypes.split(",")
            for line in Race(job, dtype, options, Path(scratch)).run()
        ]
    rows = summary(job, lines)
    result = {
        "command": " ".join(["python -m benchmarks.generation", *sys.argv[1:]]),
        "machine": machine(),
        "job": {
            "requests": len(job.requests),
            "prompt_tokens": sum(len(request["prompt_ids"]) for request in job.requests),
            "new_tokens": job.tokens,
            "gflop": round(job.gflop, 1),
        },
        "summary": rows,
        "rounds": lines,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
