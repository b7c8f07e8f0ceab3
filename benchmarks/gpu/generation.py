"""Section generation: tokens a second, as the product samples and as transformers does."""

from __future__ import annotations

import copy
import time
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.models import random_prompts, random_qwen, tokenizer
from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.sampling import draw
from uniapl_cli.precision import arithmetic
from uniapl_cli.types import Sampling

SAMPLES = 8  # responses a prompt


def sizes(bench: Bench) -> tuple[list[int], int, int]:
    """Return (rows, prompt length, new tokens)."""
    return bench.pick([32, 128, 256], [4, 8]), bench.pick(128, 16), bench.pick(256, 12)


def generation(bench: Bench) -> None:
    """Tokens a second with float32 weights, as in training, and bfloat16 ones, as in evaluation."""
    rows, length, new = sizes(bench)
    few_and_many = rows[:: len(rows) - 1]
    model = random_qwen(bench)
    warm = LocalGenerator(model, Chat(tokenizer()))
    request = Request(random_prompts(bench, 1, 16)[0], (0, 1))
    list(warm.generate([request], Sampling(max_new_tokens=4)))
    for count in rows:
        with bench.part("product"):
            product(bench, model, count, length, new, "float32, autocast")
    with bench.part("decoding step"):
        decoding_step(bench, model, rows[-1], length + new // 2)
    half = copy.deepcopy(model).to(torch.bfloat16)
    for count in few_and_many:
        with bench.part("product"):
            product(bench, half, count, length, new, "bfloat16")
    for count in few_and_many:
        with bench.part("transformers generate"):
            transformers_generate(bench, half, count, length, new)


def product(bench: Bench, model: Any, rows: int, length: int, new: int, weights: str) -> None:
    """Time this project's generator."""
    generator = LocalGenerator(model, Chat(tokenizer()), batch_tokens=2**20)
    prompts = random_prompts(bench, max(1, rows // SAMPLES), length)
    requests = [
        Request(ids, tuple(range(SAMPLES * i, SAMPLES * (i + 1)))) for i, ids in enumerate(prompts)
    ]
    bench.peak_gib()
    began = time.perf_counter()
    answers = dict(generator.generate(requests, Sampling(max_new_tokens=new)))
    bench.sync()
    seconds = time.perf_counter() - began
    tokens = sum(len(c.token_ids) for row in answers.values() for c in row)
    bench.log(
        "product",
        weights=weights,
        rows=rows,
        prompt=length,
        new=new,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        ms_per_step=1e3 * seconds / new,
        peak_gib=bench.peak_gib(),
    )


def decoding_step(bench: Bench, model: Any, rows: int, width: int) -> None:
    """Time the parts of one decoding step behind a cache of `width` tokens."""
    device = bench.device
    with torch.inference_mode(), arithmetic("auto", device):
        ids = torch.tensor(random_prompts(bench, rows, 1), device=device)
        logits = torch.randn(rows, model.config.vocab_size, device=device, dtype=torch.bfloat16)
        uniform = torch.rand(rows, dtype=torch.float64, device=device)
        sampling = bench.clock(lambda: draw(logits, uniform, Sampling()), times=5, warm=2)
        cache = DynamicCache(config=model.config)
        prompt = torch.tensor(random_prompts(bench, rows, width), device=device)
        model(input_ids=prompt, past_key_values=cache, use_cache=True, logits_to_keep=1)
        mask = torch.ones(rows, width, dtype=torch.long, device=device)

        def step(masked: bool) -> Tensor:
            nonlocal mask
            mask = torch.cat([mask, mask.new_ones(rows, 1)], 1)
            output = model(
                input_ids=ids,
                attention_mask=mask if masked else None,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            )
            return output.logits

        masked = bench.clock(lambda: step(True), times=7, warm=2)
        unmasked = bench.clock(lambda: step(False), times=7, warm=2)
        layer = cache.layers[0]
        one = torch.zeros_like(layer.keys[:, :, :1])
        grown = bench.clock(lambda: torch.cat([layer.keys, one], 2), times=7, warm=2)
        dtype = step(True).dtype
    bench.log(
        "decoding step",
        rows=rows,
        cached=width,
        forward_ms=1e3 * masked,
        forward_without_mask_ms=1e3 * unmasked,
        draw_ms=1e3 * sampling,
        cache_growth_ms=2e3 * model.config.num_hidden_layers * grown,
        keys=str(layer.keys.dtype),
        values=str(layer.values.dtype),
        logits=str(dtype),
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
