"""Preference and the anchor: raise the probability of rollouts whose advantage is positive."""

from __future__ import annotations

import torch
from torch import Tensor

from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss


@objectives.register("surrogate")
def surrogate(
    logps: Tensor,
    batch: TokenBatch,
    *,
    signal: str,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
) -> TokenLoss:
    """PPO's clipped surrogate, -min(rho A, clip(rho) A) with rho = exp(logp - old_logp).

    logps: (B, T). With the verifier's group advantage it is GRPO (paper, 3.3); with the anchor's
    coefficient it is the score-function estimator of L_ADV. rho = 1.5, A = 1 costs -1.2 and has
    no gradient; rho = 1.5, A = -1 costs 1.5 and has one.
    """
    assert batch.old_logps is not None, "rollouts carry the log-probabilities of their sampler"
    advantages = batch.advantages[signal].unsqueeze(1)
    # Past e^20 the ratio is clipped anyway; unbounded it overflows and inf * 0 is NaN.
    log_ratio = (logps - batch.old_logps).clamp(-20.0, 20.0)
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    per_token = -torch.minimum(ratio * advantages, clipped * advantages)
    cut = (clipped * advantages < ratio * advantages).float()
    return TokenLoss(per_token, {"clipped": cut, "sampler_gap": log_ratio.detach().abs()})
