"""A training step in float32 and in bfloat16: seconds, loss and gradient, taking turns.

One forward and backward pass of SFT over a text's tokens, with AdamW's update, on one thread. Each
precision trains weights of its own, read anew from the same folder, so that the first step's losses
and gradients can be compared. On a CPU, seconds are the processor's.

    python -m benchmarks.training_step work/smollm2           (benchmarks/gpu/fetch_smollm2.py)
    python -m benchmarks.training_step tiny:teacher --rows 32 --width 64
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from uniapl_cli.precision import Precision
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.policy import Policy, load_policy

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder of a causal language model, or tiny:NAME")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--width", type=int, default=256, help="tokens a row, a quarter prompt")
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed, after one more")
    return parser.parse_args()


def text_batch(rows: int, width: int, tokenizer: Any) -> TokenBatch:
    """Return rows of this project's own prose, of which a quarter is prompt."""
    pages = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
    ids = tokenizer.encode("".join(page.read_text("utf-8") for page in pages))
    length = rows * (width + 1)
    tokens = torch.tensor(ids * (1 + length // len(ids)))[:length].view(rows, width + 1)
    mask = torch.arange(width).expand(rows, width) >= width // 4
    return TokenBatch(tokens, mask)


def step(policy: Policy, optimizer: Any, batch: TokenBatch) -> tuple[float, float, torch.Tensor]:
    """Return (seconds, loss, gradient as one vector) of one step."""
    clock = time.process_time if policy.device.type == "cpu" else time.perf_counter
    began = clock()
    loss = -policy.forward(batch).sum() / batch.loss_mask.sum()
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    optimizer.step(1e-6)
    value = loss.item()  # waits for the device
    return clock() - began, value, gradient


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    path = resolve(options.model)
    policies = {name: load_policy(path, options.device, name) for name in PRECISIONS}
    trainers = {
        name: optimizers.bind(optimizers.options("adamw"))(policy.model)
        for name, policy in policies.items()
    }
    first = policies["float32"]
    batch = text_batch(options.rows, options.width, first.tokenizer).to(first.device)
    seconds: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    firsts = {}
    for number in range(options.steps + 1):
        for name, policy in policies.items():
            took, *result = step(policy, trainers[name], batch)
            if number == 0:
                firsts[name] = result  # and warmed up
            else:
                seconds[name].append(took)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    (full, exact), (half, near) = firsts["float32"], firsts["bfloat16"]
    print(
        json.dumps(
            {
                "tokens": options.rows * options.width,
                "seconds": {name: round(value, 3) for name, value in medians.items()},
                "float32 / bfloat16": round(medians["float32"] / medians["bfloat16"], 2),
                "loss": {"float32": round(full, 5), "bfloat16": round(half, 5)},
                "gradient, relative distance": float(f"{(near - exact).norm() / exact.norm():.2g}"),
            }
        )
    )


if __name__ == "__main__":
    main()
