"""Seconds of a step of SFT without a checkpoint, with one written in it, and with one beside it.

The program's own loop trains in this process, on one thread; the three ways take turns. `wall`,
`process` (the processor's seconds) and `thread` (of the thread that trains) are a step's, of those
between the first one and the last one, whose checkpoint is written beside no other. `thread` says
what a checkpoint keeps the step from, whatever else the machine does.

    python -m benchmarks.checkpoint_step work/smollm2 --rows 4 --width 256 --steps 5 --every 1
    python -m benchmarks.checkpoint_step tiny:teacher --rows 32 --width 64 --steps 40 --every 1
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from benchmarks.engines.machine import machine
from benchmarks.engines.sft_job import read_batch
from benchmarks.engines.worker import memory_gib
from uniapl_cli.objectives import objectives
from uniapl_cli.partition import default_tokens
from uniapl_cli.sources import SourceBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.loop import train
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.policy import load_policy
from uniapl_cli.training.schedules import make_schedule, schedules
from uniapl_cli.training.settings import Settings
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term

WAYS: dict[str, bool | None] = {"none": None, "in the step": False, "beside it": True}


class Clock:
    """A reporter that only notes when it is called."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.process: list[float] = []
        self.thread: list[float] = []

    def rewind(self, step: int) -> None: ...

    def report(self, *_: object) -> None:
        self.wall.append(time.perf_counter())
        self.process.append(time.process_time())
        self.thread.append(time.thread_time())

    def interruptible(self) -> Any:
        return nullcontext()


class Given:
    stream = "rows"

    def draw(self, context: Any) -> SourceBatch:
        return SourceBatch(context.items[0])


def run(options: argparse.Namespace, policy: Any, optimizer: Any, way: str) -> dict[str, Any]:
    """Train `steps` steps after a first one; return seconds a step."""
    batch = read_batch(vars(options), policy.tokenizer)
    term = Term("sft", "rows", lambda values: 1.0, objectives["nll"].definition)
    steps = options.steps + 2
    settings = Settings(
        steps=steps,
        lr=make_schedule(schedules.options("constant", value=1e-9), steps),
        micro_batch_tokens={"rows": default_tokens("cpu")},
        max_grad_norm=1.0,
        save_every=10**6 if way == "none" else options.every,
    )
    clock = Clock()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        checkpoints = Checkpoints(Path(folder), 2, WAYS[way])
        state = State(policy, optimizer, {"rows": Stream("rows", [batch], 1, 0)})
        plan = Plan([term], {}, settings.steps)
        train(state, plan, {"rows": Given()}, checkpoints, clock, settings)
    taken = {"wall": clock.wall, "process": clock.process, "thread": clock.thread}
    seconds = {name: (at[-2] - at[0]) / options.steps for name, at in taken.items()}
    return {"way": way, **seconds, "peak_gib": memory_gib("VmHWM")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder of a causal language model, or tiny:NAME")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--width", type=int, default=256, help="predicted tokens a row")
    parser.add_argument("--steps", type=int, default=5, help="a round")
    parser.add_argument("--every", type=int, default=1, help="steps between checkpoints")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where checkpoints go")
    parser.add_argument("--out", type=Path, help="file for the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    policy = load_policy(resolve(options.model), "cpu", "float32")
    optimizer = optimizers.bind(optimizers.options("adamw"))(policy.model)
    lines = []
    for number in range(options.rounds):
        for way in WAYS:
            lines.append({"round": number, **run(options, policy, optimizer, way)})
            print(json.dumps(lines[-1]), file=sys.stderr)
    summary = {
        way: {
            name: round(statistics.median(line[name] for line in lines if line["way"] == way), 4)
            for name in ("wall", "process", "thread")
        }
        for way in WAYS
    }
    print(json.dumps(summary))
    if options.out:
        command = " ".join(["python -m benchmarks.checkpoint_step", *sys.argv[1:]])
        result = {"command": command, "machine": machine(), "summary": summary, "rounds": lines}
        options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
