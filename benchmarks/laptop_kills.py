"""Kills `make laptop` at random moments, on a tiny model, and compares what comes of it in the end.

The rows are made once undisturbed. Then all processes of the target are killed (SIGKILL) at a
random moment, so many times, and in the end it is made once more. Data, metrics, weights and
evaluations must be the undisturbed ones, to the byte, and nothing half-written be left.

    python -m benchmarks.laptop_kills --kills 5
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.kills import content, fresh

ROOT = Path(__file__).parents[1]
ROWS = "base sft grpo agrpo sft-grpo"
# Instructions that a tiny model follows now and then; they stand for IFEval's prompts, too.
SMALL = (
    "teacher.path=tiny:teacher eval.benchmark_data=nowhere eval.benchmarks.ifeval.data=in.jsonl "
    "compose.instructions=[punctuation:no_comma,keywords:forbidden_words] compose.rows=40 "
    "compose.most=1 teach.sampling.max_new_tokens=32 sampling.max_new_tokens=32 run.threads=1 "
    "data.max_prompt_tokens=512 data.max_response_tokens=512 training.steps=6 run.save_every=2 "
    "training.max_idle_updates=0 sources.demonstrations.rows_per_step=4 "
    "sources.rollouts.prompts_per_step=2 sources.rollouts.num_generations=4 filter.cut_off=keep "
    "eval.draws.greedy.sampling.max_new_tokens=32"
)
# Of a table's end, and of a run's start, they say when.
TIMED = (".log", ".png", ".svg", ".html")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the target in a folder, in a session of its own."""
    environment = {**os.environ, "SCALE": "laptop", "ROWS": ROWS, "OMP_NUM_THREADS": "1"}
    for name in ("PLAN", "OUT", "SEEDS", "JOBS", "SHOW", "TABLE"):
        environment.pop(name, None)
    talk = (folder.parent / "talk.txt").open("ab")
    command = ["experiments/target.sh", "table", "2", *SMALL.split()]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=talk, stderr=talk, start_new_session=True
    )


def begin(folder: Path) -> Path:
    """Return an empty folder with what the target is called from."""
    fresh(folder)
    (folder / "experiments").symlink_to(ROOT / "experiments")
    prompts = ("compose.out=in.jsonl", "seed=7", *SMALL.split())
    config = ("--config", "experiments/laptop/smollm2.yaml")
    subprocess.run(
        ["uniapl", "data", "compose", *config, *prompts],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


def made(folder: Path) -> dict[str, object]:
    """Return every file that must not depend on kills."""
    files = content(folder / "work")
    return {name: file for name, file in files.items() if not name.endswith(TIMED)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        if start(begin(Path(name) / "whole")).wait():
            raise SystemExit((Path(name) / "talk.txt").read_text()[-2000:])
        seconds = time.monotonic() - began
        whole, work = made(Path(name) / "whole"), begin(Path(name) / "work")
        print(f"undisturbed: {len(whole)} files in {seconds:.0f} s", flush=True)
        kills = 0
        for _ in range(options.kills):
            target = start(work)
            time.sleep(rng.uniform(0, seconds / 2))
            if target.poll() is not None:
                print("it has ended", flush=True)
                break
            os.killpg(target.pid, signal.SIGKILL)
            target.wait()
            kills += 1
            there = sorted(path.name for path in work.glob("work/laptop/*") if path.is_dir())
            print(f"kill {kills}: {' '.join(there) or 'no row yet'}", flush=True)
        if start(work).wait():
            raise SystemExit((Path(name) / "talk.txt").read_text()[-2000:])
        mine = made(work)
        wrong = sorted(n for n in {*mine, *whole} if mine.get(n) != whole.get(n))
    print(f"{kills} kills: {wrong or 'all as undisturbed'}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
