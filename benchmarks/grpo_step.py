"""Seconds of a GRPO step on the embedded world, by this project and by TRL, in turn.

    python -m benchmarks.grpo_step --out benchmarks/results/grpo_step.json

16 prompts with 8 responses of at most 48 tokens, tiny:base, one thread, the same prompts,
verifiers and precision, no reference. The learning rate is so small that neither policy moves: with
a real one they would drift apart, and the one with the shorter responses would look faster;
`mean_length` is of the responses that were made. TRL takes all rows as one micro-batch, which is
its fastest; this project takes 64, as the embedded world does. Each is a process of its own; a
round is ten steps of each. `others` is how many cores other work took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.engines.contestant import Contestant
from benchmarks.engines.machine import machine
from uniapl_cli.tiny.assets import resolve

# The modules of benchmarks/engines.
ENGINES = {"ours": "grpo", "trl": "trl_grpo"}
# micro_batch: TRL's rows a forward pass.
JOB = {"groups": 16, "group": 8, "new_tokens": 48, "micro_batch": 128, "lr": 1e-12, "steps": 10}


def measure(dtype: str, rounds: int, scratch: Path) -> list[dict[str, Any]]:
    """Return a line of figures for each round and engine."""
    job = {**JOB, "dtype": dtype, "model": resolve("tiny:base"), "prompts": resolve("tiny:train")}
    running: dict[str, Contestant] = {}
    lines = []
    try:
        for name, module in ENGINES.items():
            file = scratch / f"{name}.json"
            file.write_text(json.dumps(job))
            log = scratch / f"{name}.log"
            running[name] = Contestant(sys.executable, module, file, log, limit=600)
            running[name].answer()
        for number in range(rounds):
            for name, contestant in running.items():
                line = {"dtype": dtype, "engine": name, "round": number, **contestant.work()}
                lines.append(line)
                seconds = statistics.median(line["step_seconds"])
                others, length = line["others"], line["mean_length"]
                print(f"{dtype} {name}: {seconds:.3f} s, {length:.1f} tokens, others {others:.1f}")
    finally:
        for contestant in running.values():
            contestant.end(patience=15)
    return lines


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median step of each, over all rounds, and their ratio."""
    medians = {
        name: statistics.median(
            second for line in lines if line["engine"] == name for second in line["step_seconds"]
        )
        for name in ENGINES
    }
    cpu = {
        name: sum(line["cpu_seconds"] for line in lines if line["engine"] == name)
        for name in ENGINES
    }
    return {
        "dtype": lines[0]["dtype"],
        "step_seconds": {name: round(seconds, 4) for name, seconds in medians.items()},
        "times_faster": round(medians["trl"] / medians["ours"], 2),
        "times_faster_by_cpu": round(cpu["trl"] / cpu["ours"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtypes", default="float32", help="with commas: float32, bfloat16")
    parser.add_argument("--out", type=Path, help="file for the results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs = [
            measure(dtype, options.rounds, Path(scratch)) for dtype in options.dtypes.split(",")
        ]
    found = [summary(lines) for lines in runs]
    for one in found:
        print(json.dumps(one))
    if options.out:
        command = " ".join(["python -m benchmarks.grpo_step", *sys.argv[1:]])
        result = {"command": command, "machine": machine(), "job": JOB, "summary": found}
        result["rounds"] = [line for lines in runs for line in lines]
        options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
