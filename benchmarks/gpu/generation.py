"""Section generation: tokens a second, with graphs and without; transformers beside it."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.engine import SAMPLES, answers, compared, grouped, replay_and_pass, watched
from benchmarks.gpu.models import random_prompts, random_qwen
from uniapl_cli.generation import Request
from uniapl_cli.precision import Precision, freeze

PRECISIONS: tuple[Precision, ...] = ("bfloat16", "float32")


def sizes(bench: Bench) -> tuple[list[int], int, int]:
    """Return (rows, prompt length, new tokens)."""
    return bench.pick([32, 128, 256], [4, 8]), bench.pick(128, 16), bench.pick(256, 12)


def generation(bench: Bench) -> None:
    """Whether a graph computes what a pass does; then tokens a second in both precisions."""
    rows, length, new = sizes(bench)
    few_and_many = rows[:: len(rows) - 1]
    model = random_qwen(bench)
    for precision in PRECISIONS:
        with bench.part("replay and pass"):
            replay_and_pass(bench, model, precision, rows[-1], length + new // 2)
        with bench.part("with graphs and without"):
            compared(bench, model, precision, rows[0], length, new)
    for precision, counts in zip(PRECISIONS, (rows, few_and_many[1:]), strict=True):
        for count in counts:
            with bench.part("product"):
                product(bench, model, precision, grouped(bench, count, length), new)
    with bench.part("within a budget"):
        budget = rows[-1] * (length + new) // 3
        requests = grouped(bench, rows[-1], length)
        product(bench, model, "bfloat16", requests, new, "within a budget", budget)
    half = freeze(copy.deepcopy(model), torch.bfloat16)
    with bench.part("product"):
        requests = grouped(bench, rows[-1], length)
        product(bench, half, "bfloat16", requests, new, "product, as evaluated")
    half = half.to(torch.bfloat16)
    for count in few_and_many:
        with bench.part("transformers generate"):
            transformers_generate(bench, half, count, length, new)


def product(
    bench: Bench,
    model: Any,
    precision: Precision,
    requests: Sequence[Request],
    new: int,
    what: str = "product",
    budget: int | None = None,
) -> None:
    """Time this project's generator; `peak_above_gib` is memory beyond what was held before."""
    answers(model, precision, requests[:1], 4, budget)
    bench.free()
    bench.peak_gib()
    held = torch.cuda.memory_allocated() / 2**30 if bench.cuda else 0.0
    with watched() as watch:
        bench.sync()
        began = time.perf_counter()
        completions = answers(model, precision, requests, new, budget)
        bench.sync()
        seconds = time.perf_counter() - began
    peak = bench.peak_gib()
    bench.log(
        what,
        precision=precision,
        rows=len(completions),
        prompt=len(requests[0].prompt_ids),
        new=new,
        seconds=seconds,
        tokens_per_second=len(completions) * new / seconds,
        ms_per_step=1e3 * seconds / new,
        budget_gib=None if budget is None else budget * watch.bytes_a_token / 2**30,
        peak_above_gib=None if peak is None else peak - held,
        # What is left must be 0: training takes the memory next.
        left_gib=torch.cuda.memory_allocated() / 2**30 - held if bench.cuda else None,
        **watch.figures(),
    )


def transformers_generate(bench: Bench, model: Any, rows: int, length: int, new: int) -> None:
    """Time transformers' own generate on the same prompts."""
    prompts = random_prompts(bench, max(1, rows // SAMPLES), length)
    repeated = [ids for ids in prompts for _ in range(min(SAMPLES, rows))]
    ids = torch.tensor(repeated, device=bench.device)

    def generate(count: int) -> None:
        with torch.inference_mode():
            model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                top_k=0,
                max_new_tokens=count,
                min_new_tokens=count,
            )

    generate(2)
    bench.peak_gib()
    seconds = bench.clock(lambda: generate(new))
    bench.log(
        "transformers generate",
        weights="bfloat16",
        rows=len(ids),
        prompt=length,
        new=new,
        seconds=seconds,
        tokens_per_second=len(ids) * new / seconds,
        ms_per_step=1e3 * seconds / new,
        peak_gib=bench.peak_gib(),
    )
