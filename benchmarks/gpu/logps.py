"""Section logps: log-probabilities here and on the CPU, and sampler against trained model."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import batch as tiny_batch
from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import lay_out, pad_rows
from uniapl_cli.generation import Request
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.logps import token_logps
from uniapl_cli.training.policy import Policy, load_policy
from uniapl_cli.types import Completion, Sampling


def logps(bench: Bench) -> None:
    """The teacher's log-probabilities on this device and on the CPU, and its responses."""
    batch = tiny_batch(bench.pick(256, 16))
    path = resolve("tiny:teacher")
    here = load_policy(path, bench.device, bench.precision)
    there = load_policy(path, "cpu", "float32")
    with torch.no_grad():
        compare(bench, batch, here, there)
    starts = batch.loss_mask.int().argmax(1) + 1
    prompts = [tuple(row[:start].tolist()) for row, start in zip(batch.tokens, starts, strict=True)]
    requests = [Request(ids, tuple(range(8 * i, 8 * i + 8))) for i, ids in enumerate(prompts)]
    for temperature in (1.0, 0.0):
        sampling = Sampling(temperature=temperature, max_new_tokens=48)
        ours, theirs = (
            [c.token_ids for row in respond(policy, requests, sampling) for c in row]
            for policy in (here, there)
        )
        equal = [a == b for a, b in zip(ours, theirs, strict=True)]
        bench.log("same_responses_as_cpu", temperature=temperature, share=statistics.fmean(equal))
    for precision in ("bfloat16", "float32"):
        here.precision = precision
        gap = sampler_gap(here, requests[: bench.pick(64, 8)], 48)
        bench.log("sampler_gap_tiny", precision=precision, **gap)


def compare(bench: Bench, batch: TokenBatch, here: Policy, there: Policy) -> None:
    """Log how far one batch's log-probabilities differ by device, dtype and micro-batch."""
    moved = batch.to(here.device)
    double = Policy(copy.deepcopy(there.model).double(), there.tokenizer, "float32")
    reference = there.forward(batch)
    for what, values in {
        "cpu_fp32_vs_fp64": plain(double, batch),
        "device_fp32_vs_cpu_fp32": plain(here, moved),
        "product_vs_cpu_fp32": here.forward(moved),
    }.items():
        bench.log(what, **differences(values, reference, batch.loss_mask))
    parts = [part.to(here.device) for part in batch.split(7)]
    total = sum(float(here.forward(part)[part.loss_mask].sum()) for part in parts)
    whole = float(here.forward(moved)[moved.loss_mask].sum())
    bench.log("sum_over_micro_batches_of_7", relative=abs(total / whole - 1))


def plain(policy: Policy, batch: TokenBatch) -> Tensor:
    """Return what Policy.forward computes, in the weights' own dtype, (B, T)."""
    mask = batch.loss_mask
    hidden = policy.net.backbone(input_ids=batch.tokens[:, :-1], use_cache=False)[0]
    chosen = token_logps(hidden[mask], policy.net.head.weight, batch.tokens[:, 1:][mask])
    return torch.zeros(mask.shape, device=hidden.device).masked_scatter(mask, chosen)


def differences(a: Tensor, b: Tensor, mask: Tensor) -> dict[str, float]:
    """Return how far two tensors are apart where the mask is True."""
    gap = (a.detach().double().cpu() - b.detach().double().cpu()).abs()[mask.cpu()]
    return {"mean": gap.mean().item(), "max": gap.max().item()}


def respond(
    policy: Policy, requests: Sequence[Request], sampling: Sampling
) -> list[list[Completion]]:
    """Return each request's completions."""
    generator = LocalGenerator(policy.model, Chat(policy.tokenizer), precision=policy.precision)
    return in_order(generator.generate(requests, sampling), len(requests))


def sampler_gap(policy: Policy, requests: Sequence[Request], new: int) -> dict[str, Any]:
    """Return how far the trained model's log-probabilities are from the sampler's own."""
    answers = respond(policy, requests, Sampling(max_new_tokens=new))
    completions = [(r, c) for r, row in zip(requests, answers, strict=True) for c in row]
    tokens, mask = pad_rows([(r.prompt_ids, c.token_ids) for r, c in completions], 0)
    batch = TokenBatch(tokens, mask, old_logps=lay_out([c.logps for _, c in completions], mask))
    gaps = []
    with torch.no_grad():
        for part in batch.split(16):
            part = part.to(policy.device)
            assert part.old_logps is not None
            gaps.append((policy.forward(part) - part.old_logps)[part.loss_mask].float().cpu())
    gap = torch.cat(gaps)
    ratio = gap.exp()
    return {
        "tokens": len(gap),
        "mean_abs": gap.abs().mean().item(),
        "max_abs": gap.abs().max().item(),
        "mean": gap.mean().item(),
        "k3": (ratio - 1 - gap).mean().item(),
        "outside_0.8_1.2": ((ratio < 0.8) | (ratio > 1.2)).float().mean().item(),
    }
