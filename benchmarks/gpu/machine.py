"""Sections env and ceilings: versions, the card, and the two bounds of all other figures."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import torch

from benchmarks.gpu.bench import Bench

PACKAGES = (
    "torch", "transformers", "tokenizers", "accelerate", "peft", "datasets", "pyarrow", "numpy",
    "pandas", "pydantic", "omegaconf", "nltk", "langdetect", "gguf", "triton", "typer", "rich",
    "huggingface_hub", "bitsandbytes", "fsspec", "dill", "flash-attn", "kernels",
)  # fmt: skip


def env(bench: Bench) -> None:
    """Versions, and the card."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    bench.log("versions", python=platform.python_version(), **versions)
    card = {}
    if bench.cuda:
        properties = torch.cuda.get_device_properties(0)
        card = {
            "card": properties.name,
            "gib": properties.total_memory / 2**30,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
        }
    bench.log("machine", device=bench.device, cpus=os.cpu_count(), **card)


def ceilings(bench: Bench) -> None:
    """A large matrix product and a large copy."""
    n = bench.pick(8192, 256)
    a, b = (torch.randn(n, n, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
    seconds = bench.clock(lambda: a @ b, times=10, warm=3)
    bench.log("matmul_bf16", n=n, tflops=2 * n**3 / seconds / 1e12)
    x = torch.empty(bench.pick(2**30, 2**20), device=bench.device, dtype=torch.float32)
    y = torch.randn_like(x)
    seconds = bench.clock(lambda: x.copy_(y), times=10, warm=2)
    bench.log("copy", tb_per_second=2 * x.nbytes / seconds / 1e12)
