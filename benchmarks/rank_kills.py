"""Kills ranks of a run at random moments, and compares what comes of it in the end.

The run is done once undisturbed. Then one rank, or all of them and their launcher, is killed
(SIGKILL) at a random moment, or as soon as a checkpoint is being written, and the same command goes
on to the end. Each step must be in metrics.jsonl once, with the undisturbed run's values, and the
weights be the same to the bit. Those that are not killed must end by themselves, in time.

    python -m benchmarks.rank_kills --kills 12 --out FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.engines.machine import machine
from benchmarks.kills import COST, rows

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "parallel"))
from launched_ranks import Ended, RankServer, Running

COMMAND = (
    "train grpo --config tiny:grpo run.save_every=1 run.log_every=1 training.steps=8 "
    "optim.lr=0.003 training.max_idle_updates=0 sources.rollouts.prompts_per_step=2 "
    "sources.rollouts.num_generations=4 sampling.max_new_tokens=16 data.prompts=in.jsonl"
)
# Seconds that ranks may go on when another one is gone.
IN_TIME = 30.0


def begin(server: RankServer, run: str, ranks: int, more: Sequence[str], **job: Any) -> Running:
    return server.start(*COMMAND.split(), f"run.dir={run}", *more, ranks=ranks, **job)


def made(run: Path) -> dict[str, Any]:
    """Return what must not depend on kills: the metrics by line, and digests of the final model."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in line.items() if not k.startswith(COST)} for line in lines]
    files = sorted((run / "final").glob("*.safetensors"))
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return {"metrics": kept, **digests}


def kill(started: Running, victims: Sequence[int | None]) -> None:
    """Kill ranks; None is the launcher."""
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(started.pid(victim), signal.SIGKILL)


def disturbed(
    server: RankServer, run: str, ranks: int, more: Sequence[str], seconds: float, rng: Any
) -> tuple[dict[str, Any], Ended]:
    """Kill a run once; return what was done and how the launcher ended."""
    victims = rng.choice([[0], [ranks - 1], [*range(ranks), None]])
    in_save = rng.random() < 0.5 and len(victims) == 1
    trouble = {"rank": victims[0], "file": f"{run}/checkpoints/.*.tmp", "do": "kill"}
    started = begin(server, run, ranks, more, trouble=trouble if in_save else None)
    if not in_save:
        time.sleep(moment := rng.uniform(0, seconds))
        kill(started, victims)
    began = time.monotonic()
    ended = started.ended()
    told = ended.said[-1] if len(victims) == 1 and ended.said else ""
    when = "a checkpoint is written" if in_save else f"{moment:.1f} s"
    steps = len(list((server.folder / run).glob("checkpoints/step-*")))
    done = {
        "killed": "all" if None in victims else f"rank {victims[0]}",
        "at": when,
        "checkpoints": steps,
        "seconds_to_end": round(time.monotonic() - began, 1) if not in_save else None,
        "last_line": told.removeprefix("error: "),
    }
    return done, ended


def trial(
    server: RankServer, number: int, options: argparse.Namespace, whole: Any, seconds: float
) -> dict[str, Any]:
    """Kill a run, repeat it, and compare."""
    run, more = f"run-{number}", options.more
    rng = random.Random(f"{options.seed} {number}")
    done, _ = disturbed(server, run, options.ranks, more, seconds, rng)
    late = done["seconds_to_end"] is not None and done["seconds_to_end"] > IN_TIME
    ended = begin(server, run, options.ranks, more).ended()
    wrong = ""
    if ended.code:
        wrong = f"exit code {ended.code}: {ended.said[-1:]}"
    elif made(server.folder / run) != whole:
        wrong = "metrics or weights differ"
    elif late:
        wrong = "the others went on"
    return {**done, "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file for the results")
    parser.add_argument("more", nargs="*", help="overrides of the run, such as parallel.shard=full")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows(Path(name) / "in.jsonl")
        server = RankServer(Path(name))
        first = begin(server, "whole", options.ranks, options.more).ended()
        if first.code:
            raise SystemExit(first.stderr[-2000:])
        whole = made(Path(name) / "whole")
        print(f"undisturbed: {len(whole['metrics'])} steps in {first.seconds:.0f} s", flush=True)
        trials = []
        for number in range(options.kills):
            trials.append(trial(server, number, options, whole, first.seconds))
            print(json.dumps(trials[-1]), flush=True)
        server.close()
    if options.out:
        command = shlex.join(["python", "-m", "benchmarks.rank_kills", *sys.argv[1:]])
        result = {"command": command, "machine": machine(), "trials": trials}
        options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    raise SystemExit(any(trial["wrong"] for trial in trials))


if __name__ == "__main__":
    main()
