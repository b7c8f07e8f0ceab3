"""Is the memory that a plan says what a rank of two takes, with sharded weights?

    python -m benchmarks.shards_against_measured > benchmarks/results/shards_against_measured.json

Two processes, joined by gloo, shard a model of SmolLM2-135M's shape with random weights, make an
update, and then go forward and back over 4 x 512 tokens each, beside the state of AdamW. Measured
is the largest resident memory of a rank meanwhile (VmHWM, reset by /proc/self/clear_refs) less what
was resident before it had a model. A rank passes if the two are within 15%. Linux only.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.engines.machine import machine
from benchmarks.plan_against_measured import MIB, SHARE, resident

RANKS, ROWS, WIDTH = 2, 4, 512
# SmolLM2-135M's.
SHAPE: dict[str, Any] = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


def new_model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_default_dtype(torch.float32)
    return LlamaForCausalLM(LlamaConfig(**SHAPE)).eval()


def planned() -> dict[str, Any]:
    """Return the parts that a rank is planned to hold while it trains."""
    from uniapl_cli.planning.memory import measure
    from uniapl_cli.planning.setup import Setup
    from uniapl_cli.planning.step import Draw
    from uniapl_cli.planning.world import World
    from uniapl_cli.tensors import TokenBatch
    from uniapl_cli.training.optim import optimizers
    from uniapl_cli.types import Sampling

    draw = Draw("rows", TokenBatch, ROWS * RANKS, 1, WIDTH - 1, ROWS * WIDTH, 1)
    usage = measure(
        Setup(
            make=new_model,
            vocabulary=SHAPE["vocab_size"],
            precision="float32",
            device="cpu",
            memory=2**40,
            optimizer=optimizers.bind(optimizers.options("adamw")),
            draws=(draw,),
            sampling=Sampling(),
            world=World(RANKS, 1, "full"),
        )
    )
    return dict(usage.phases["training"])


def measured() -> None:
    """Train as one of the ranks that torchrun has started, and print what it took."""
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    from uniapl_cli.ranks.sharding import shard
    from uniapl_cli.tensors import TokenBatch
    from uniapl_cli.training.optim import optimizers
    from uniapl_cli.training.policy import Policy

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (RANKS,))
    before = resident("VmRSS")
    policy = Policy(new_model(), None, "float32")
    shard(policy.net, policy.net.units, mesh)
    optimizer = optimizers.bind(optimizers.options("adamw"))(policy.model)

    def learn(rows: int, width: int) -> None:
        tokens = torch.randint(0, SHAPE["vocab_size"], (rows, width + 1))
        policy.forward(TokenBatch(tokens, torch.ones(rows, width).bool())).sum().backward()

    learn(1, 8)
    optimizer.step(1e-6)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    learn(ROWS, WIDTH)
    took = resident("VmHWM") - before
    dist.barrier()
    print(json.dumps({"rank": dist.get_rank(), "bytes": took}), flush=True)
    dist.destroy_process_group()


def main() -> None:
    if sys.argv[1:] == ["--measure"]:
        measured()
        return
    parts = planned()
    said = sum(parts.values())
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
    done = subprocess.run(
        [sys.executable, *words, "-m", "benchmarks.shards_against_measured", "--measure"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    ranks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    result = {
        "command": "python -m benchmarks.shards_against_measured",
        "machine": machine(),
        "planned_mib": round(said / MIB),
        "parts_mib": {name: round(size / MIB) for name, size in parts.items()},
        "measured_mib": [round(of["bytes"] / MIB) for of in ranks],
        "ratio": [round(said / of["bytes"], 3) for of in ranks],
        "within": all(abs(said - of["bytes"]) <= SHARE * of["bytes"] for of in ranks),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
