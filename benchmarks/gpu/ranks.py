"""One card under torchrun against one without it: its groups, NCCL and fully_shard included."""

from __future__ import annotations

import shutil
import subprocess
import sys

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import largest_difference, metrics, train, training

LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1")


def ranks(bench: Bench) -> None:
    """Train without a launcher, and by one process under it, with all weights and with its part."""
    folder = bench.work / "ranks"
    shutil.rmtree(folder, ignore_errors=True)
    alone = train(bench, "unified", folder / "alone", steps=4)
    seconds = metrics(alone)[-1]["seconds/update"]
    for shard in ("none", "full"):
        with bench.part(shard):
            run = folder / shard
            words = training(bench, "unified", run, f"parallel.shard={shard}", steps=4)
            command = [*LAUNCHER, "-m", "uniapl_cli", *words]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if ended.returncode:
                raise RuntimeError(ended.stderr[-2000:])
            bench.log(
                shard,
                largest_difference=largest_difference(alone, run),
                loss_difference=max(
                    abs(one["loss"] - other["loss"])
                    for one, other in zip(metrics(alone), metrics(run), strict=True)
                ),
                update_over_alone=metrics(run)[-1]["seconds/update"] / seconds,
            )
