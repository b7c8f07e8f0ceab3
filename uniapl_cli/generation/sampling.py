"""Logits to one token a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from uniapl_cli.determinism import running_sums
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Sampling


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Return (rows, count) float64 numbers in [0, 1): each row from its own seed alone."""
    rows = [np.random.Generator(np.random.Philox(key=seed)).random(count) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


# Probabilities that are summed before they are searched, so that few are added in float64.
BLOCK = 256


def draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Draw a token a row. logits: (R, V), uniform: (R,). Returns ids (R,) and their logps (R,).

    The cumulative distribution is inverted, so one number a token suffices and no row depends on
    the others. The log-probability is the policy's at this temperature, before top-p and top-k.
    """
    logits = logits.float()
    if sampling.temperature not in (0, 1):
        logits = logits / sampling.temperature
    highest, ids = logits.max(-1, keepdim=True)
    weights = (logits - highest).exp_()
    logps = -weights.sum(-1, keepdim=True).log()
    if sampling.temperature > 0:
        ids = invert(without(weights, logits, sampling), uniform.unsqueeze(1))
        logps += logits.gather(1, ids) - highest
    return ids.squeeze(1), logps.squeeze(1)


def invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """Return (R, 1), where the cumulative weights (R, V) pass `uniform` (R, 1) of their sum.

    Sums are in float64: over 150k tokens, float32's are off by more than a rare token's share.
    """
    whole = weights.shape[1] // BLOCK * BLOCK
    sums = weights[:, :whole].unflatten(1, (-1, BLOCK)).sum(-1)
    sums = torch.cat([sums, weights[:, whole:].sum(-1, keepdim=True)], 1)
    block, target = _passed(sums, uniform)
    index = block * BLOCK + torch.arange(BLOCK, device=weights.device)
    inside = weights.gather(1, index.clamp(max=weights.shape[1] - 1))
    inside = inside.masked_fill_(index >= weights.shape[1], 0)
    share = target / sums.gather(1, block)
    return (block * BLOCK + _passed(inside, share)[0]).clamp(max=weights.shape[1] - 1)


def _passed(weights: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the cumulative weights pass that share of their sum, and by how much."""
    cumulative = running_sums(weights.double())
    # Below the sum even after rounding, so that none of weight 0 is ever drawn.
    target = share.clamp(0, 1 - 1e-12) * cumulative[:, -1:]
    index = torch.searchsorted(cumulative, target, right=True)
    index = index.clamp(max=weights.shape[1] - 1)  # NaN is never passed
    return index, target - (cumulative - weights).gather(1, index)


def without(weights: Tensor, logits: Tensor, sampling: Sampling) -> Tensor:
    """Return weights (R, V) with 0 where top-k and top-p leave a token out."""
    if sampling.top_k == 0 and sampling.top_p == 1:
        return weights
    return weights.masked_fill(cut(logits, sampling) == -torch.inf, 0)


def cut(logps: Tensor, sampling: Sampling) -> Tensor:
    """Return logps (R, V) with -inf where top-k and top-p leave a token out; at least one stays."""
    if 0 < sampling.top_k < logps.shape[-1]:
        smallest = logps.topk(sampling.top_k, -1).values[:, -1:]
        logps = logps.masked_fill(logps < smallest, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = logps.softmax(-1).sort(-1, descending=True)
        outside = running_sums(ordered) - ordered >= sampling.top_p
        logps = logps.masked_fill(outside.scatter(1, order, outside), -torch.inf)
    return logps


def not_numbers(so: str) -> ModelError:
    """Return the error that logits are NaN, and what cannot be done."""
    return ModelError(
        f"the model's logits are not numbers: {so}",
        "Look for NaN or infinite weights, or for an overflow: try precision=float32",
    )
