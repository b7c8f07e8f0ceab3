"""A step of SFT: this project's, TRL's, and the bare module's forward and backward pass, in turn.

All compute on one thread in float32, each in a process of its own, on the same rows of one length.
Seconds are the processor's, so that other work on the machine changes them little. `ours` and `trl`
are whole steps, AdamW's update included; `module` is what transformers' model takes by itself. The
peak is that of the process's resident memory, weights, gradients and optimiser included. Whether
TRL and the module are quicker with few rows at a time is theirs to choose: --trl-rows.

    python -m benchmarks.sft_step tiny:teacher --rows 32 --width 64 --steps 10
    python -m benchmarks.sft_step work/smollm2 --rows 8 --width 400 --trl-rows 2
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
ENGINES = {"ours": "sft", "trl": "trl_sft", "module": "module"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder of a causal language model, or tiny:NAME")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--width", type=int, default=400, help="predicted tokens a row")
    parser.add_argument("--steps", type=int, default=1, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trl-rows", type=int, help="a forward pass of TRL and of the module")
    parser.add_argument("--tokens", type=int, help="ours a forward pass")
    parser.add_argument("--checkpoint-activations", action="store_true", help="ours")
    parser.add_argument("--engines", default=",".join(ENGINES), help="with commas")
    parser.add_argument("--out", type=Path, help="file for the results")
    return parser.parse_args()


def job_of(options: argparse.Namespace) -> dict[str, Any]:
    some = options.trl_rows or options.rows
    return {
        "model": str(resolve(options.model)),
        "rows": options.rows,
        "width": options.width,
        "steps": options.steps,
        "trl_rows": some,
        "module_rows": some,
        "micro_batch_tokens": options.tokens,
        "checkpoint_activations": options.checkpoint_activations,
        "lr": 1e-12,
    }


def measure(job: dict[str, Any], engines: list[str], rounds: int) -> list[dict[str, Any]]:
    """Return a line of figures for each round and engine."""
    running: dict[str, Contestant] = {}
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "job.json"
        file.write_text(json.dumps(job))
        try:
            for name in engines:
                log = Path(scratch) / f"{name}.log"
                running[name] = Contestant(sys.executable, ENGINES[name], file, log, limit=1800)
                running[name].answer()
            for number in range(rounds):
                for name, contestant in running.items():
                    lines.append({"engine": name, "round": number, **contestant.work()})
                    print(json.dumps(lines[-1]), file=sys.stderr)
        finally:
            for contestant in running.values():
                contestant.end(patience=15)
    return lines


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median step, the peak and the loss of each, and how many times ours they take."""
    by_engine: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_engine.setdefault(line["engine"], []).append(line)
    medians = {
        name: statistics.median(second for line in own for second in line["step_seconds"])
        for name, own in by_engine.items()
    }
    found: dict[str, Any] = {
        "step_seconds": {name: round(seconds, 4) for name, seconds in medians.items()},
        "peak_gib": {name: round(own[-1]["peak_gib"], 2) for name, own in by_engine.items()},
        "loss": {name: round(own[-1]["loss"], 4) for name, own in by_engine.items()},
    }
    if {"ours", "trl"} <= medians.keys():
        found["trl / ours"] = round(medians["trl"] / medians["ours"], 2)
    if {"ours", "module"} <= medians.keys():
        found["ours / module"] = round(medians["ours"] / medians["module"], 2)
    return found


def main() -> None:
    options = parse()
    job = job_of(options)
    lines = measure(job, options.engines.split(","), options.rounds)
    found = summary(lines)
    print(json.dumps(found))
    if options.out:
        command = " ".join(["python -m benchmarks.sft_step", *sys.argv[1:]])
        result = {"command": command, "machine": machine(), "job": job, "summary": found}
        options.out.write_text(json.dumps({**result, "rounds": lines}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
