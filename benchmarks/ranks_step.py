"""What a step of several processes costs beside that of one process, at equal work.

    python -m benchmarks.ranks_step --model work/smollm2 > benchmarks/results/ranks_step.json

The same SFT is done by one process, and by two with all weights and with a part each, one thread a
process, one run after the other, `--rounds` times over. A step has the same rows, so two processes
do half of them each; were there no overhead, it would take half as long. `overhead` is the time of
two, times two, over that of one, less 1: medians of the steps but the first. Nothing about GPUs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.engines.machine import machine
from uniapl_cli.files import write_rows
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.tiny.oracle import demonstrations

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
WAYS = {
    "1": ((), "none"),
    "2, all weights each": (TORCHRUN, "none"),
    "2, a part of the weights each": (TORCHRUN, "full"),
}
ROWS, STEPS = 8, 5


def seconds(folder: Path, model: str, launcher: tuple[str, ...], shard: str) -> float:
    """Return the median seconds of an update."""
    command = [
        sys.executable, *launcher, "-m", "uniapl_cli", "train", "sft",
        f"model.path={model}", f"data.demonstrations={folder / 'rows.jsonl'}",
        f"run.dir={folder / 'run'}", f"parallel.shard={shard}", "run.threads=1",
        f"training.steps={STEPS}", f"sources.demonstrations.rows_per_step={ROWS}",
        "training.micro_batch_tokens=256", "run.save_every=1000", "optim.lr=1e-6",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    subprocess.run(["rm", "-r", str(folder / "run")], check=True)
    return statistics.median(json.loads(line)["seconds/update"] for line in lines[1:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="tiny:base", help="a folder, or tiny:base")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = Path(resolve("tiny:train")).read_text().splitlines()[:64]
        write_rows(folder / "rows.jsonl", demonstrations(list(map(json.loads, lines)), 1))
        for _ in range(options.rounds):
            for way, (launcher, shard) in WAYS.items():
                found[way].append(seconds(folder, options.model, launcher, shard))
    alone = statistics.median(found["1"])
    result = {
        "command": "python -m benchmarks.ranks_step --model work/smollm2",
        **machine(),
        "seconds an update": found,
        "overhead": {
            way: round(2 * statistics.median(own) / alone - 1, 3)
            for way, own in found.items()
            if way != "1"
        },
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
