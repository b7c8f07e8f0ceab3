"""Logits to one token a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from uniapl_cli.types import Sampling


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Return (rows, count) float64 numbers in [0, 1): each row from its own seed alone."""
    rows = [np.random.Generator(np.random.Philox(key=seed)).random(count) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Draw a token a row. logits: (R, V), uniform: (R,). Returns ids (R,) and their logps (R,).

    The cumulative distribution is inverted, so one number a token suffices and no row depends on
    the others. The log-probability is the policy's at this temperature, before top-p and top-k.
    """
    logits = logits.float()
    if sampling.temperature == 0:
        logps = logits.log_softmax(-1)
        ids = logits.argmax(-1)
    else:
        logps = (logits / sampling.temperature).log_softmax(-1)
        # float64: in float32 the sum over 150k tokens is off by more than a rare token's share.
        cumulative = cut(logps, sampling).double().exp().cumsum(-1)
        # Below the total even after rounding, so that no token of probability 0 is ever drawn.
        target = uniform.clamp(max=1 - 1e-12).unsqueeze(1) * cumulative[:, -1:]
        ids = torch.searchsorted(cumulative, target, right=True).squeeze(1)
    return ids, logps.gather(1, ids.unsqueeze(1)).squeeze(1)


def cut(logps: Tensor, sampling: Sampling) -> Tensor:
    """Return logps (R, V) with -inf where top-k and top-p leave a token out; at least one stays."""
    if 0 < sampling.top_k < logps.shape[-1]:
        smallest = logps.topk(sampling.top_k, -1).values[:, -1:]
        logps = logps.masked_fill(logps < smallest, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = logps.softmax(-1).sort(-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        logps = logps.masked_fill(outside.scatter(1, order, outside), -torch.inf)
    return logps
