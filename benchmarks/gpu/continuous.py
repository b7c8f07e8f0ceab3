"""Section continuous: transformers' continuous batching, in a process of its own: it may hang."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.gpu.bench import Bench, rounded
from benchmarks.gpu.engine import SAMPLES
from benchmarks.gpu.generation import sizes
from benchmarks.gpu.models import random_prompts, random_qwen

LONGEST_SECONDS = 100.0


def continuous(bench: Bench) -> None:
    """generate_batch on the prompts of the section generation; stop at the first failure."""
    rows, length, new = sizes(bench)
    for count in rows[:: len(rows) - 1]:
        limit = min(LONGEST_SECONDS, bench.left)
        words = [sys.executable, str(Path(__file__).with_name("check.py"))]
        words += ["--child", f"{count},{length},{new}", "--device", bench.device]
        words += ["--small"] if bench.small else []
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            bench.log("generate_batch", rows=count, error=f"no answer in {limit:.0f} s")
            return
        try:
            bench.log("generate_batch", **json.loads(done.stdout.splitlines()[-1]))
        except (IndexError, ValueError):
            last = (done.stderr or done.stdout).strip().splitlines()[-3:]
            bench.log("generate_batch", rows=count, error=" | ".join(last)[:500])
            return


def child(bench: Bench, rows: int, length: int, new: int) -> None:
    """Measure generate_batch and print its figures as the last line."""
    from transformers import GenerationConfig

    model = random_qwen(bench).to(torch.bfloat16)
    # The paged variant of the attention takes several requests in one row.
    model.set_attn_implementation("paged|sdpa")
    prompts = random_prompts(bench, max(1, rows // SAMPLES), length)
    inputs = [list(ids) for ids in prompts for _ in range(min(SAMPLES, rows))]
    config = GenerationConfig(
        max_new_tokens=new, do_sample=True, eos_token_id=-1, pad_token_id=0, top_k=0
    )
    began = time.perf_counter()
    model.generate_batch(inputs[:4], generation_config=config, max_new_tokens=4)
    first = time.perf_counter() - began
    bench.peak_gib()
    began = time.perf_counter()
    outputs = model.generate_batch(inputs, generation_config=config)
    seconds = time.perf_counter() - began
    tokens = sum(len(output.generated_tokens) for output in outputs.values())
    figures = {
        "weights": "bfloat16",
        "rows": len(inputs),
        "prompt": length,
        "new": new,
        "seconds": seconds,
        "first_call_seconds": first,
        "tokens": tokens,
        "tokens_per_second": tokens / seconds,
        "peak_gib": bench.peak_gib(),
    }
    print(json.dumps(rounded(figures)), flush=True)
