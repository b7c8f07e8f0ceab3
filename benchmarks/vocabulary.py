"""The loss over a large vocabulary: seconds and extra memory, forward and back.

`naive` makes all logits and lets autograd keep what it wants; `naive_onednn` multiplies by oneDNN
as this project does, so that the handling of the memory alone differs; `ours` is `token_logps`.
Extra memory is the peak of the resident memory above what stood before, the gradient of the weights
included; each way is a process of its own.

    python -m benchmarks.vocabulary --vocabulary 151936 --positions 2048 --hidden 1024
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from uniapl_cli.products import quick_products
from uniapl_cli.training.logps import token_logps

WAYS = ("naive", "naive_onednn", "ours")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vocabulary", type=int, default=151936)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS), help="with commas")
    parser.add_argument("--only", help="one way, in this process")
    parser.add_argument("--out", type=Path, help="file for the results")
    return parser.parse_args()


def measure(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds and the extra GiB of one pass forward and back."""
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(options.vocabulary, options.hidden, generator=rng) * 0.02
    hidden = torch.randn(options.positions, options.hidden, generator=rng)
    targets = torch.randint(options.vocabulary, (options.positions,), generator=rng)
    weight.requires_grad_()
    hidden.requires_grad_()
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**30
    began = time.process_time()
    if way == "ours":
        loss = -token_logps(hidden, weight, targets).mean()
    elif way == "naive":
        loss = F.cross_entropy(F.linear(hidden, weight).float(), targets)
    else:
        with quick_products(hidden.device):
            loss = F.cross_entropy(F.linear(hidden, weight).float(), targets)
    loss.backward()
    seconds = time.process_time() - began
    norm = float(weight.grad.norm())
    return {"seconds": seconds, "extra_gib": peak_gib() - before, "loss": loss.item(), "norm": norm}


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    options = parse()
    if options.only:
        print(json.dumps(measure(options.only, options)))
        return
    ways = options.ways.split(",")
    lines = []
    sizes = [f"--{name}={getattr(options, name)}" for name in ("vocabulary", "positions", "hidden")]
    for number in range(options.rounds):
        for way in ways:
            command = [sys.executable, "-m", "benchmarks.vocabulary", *sizes, f"--only={way}"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            lines.append({"way": way, "round": number, **json.loads(done.stdout)})
            print(json.dumps(lines[-1]), flush=True)
    if options.out:
        options.out.write_text(json.dumps(lines, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
