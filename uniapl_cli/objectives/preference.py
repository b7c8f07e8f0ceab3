"""GRPO and the anchor: raise the probability of rollouts whose advantage is positive."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from uniapl_cli.objectives.corrections import correcting
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss


def clip_range(*, clip_high: float, dual_clip: float | None, **_: object) -> None:
    """Refuse a `dual_clip` within the range of `clip_high`, which it would make useless."""
    if dual_clip is not None and dual_clip <= 1 + clip_high:
        raise ValueError(
            f"dual_clip = {dual_clip:g}: it must be above 1 + clip_high = {1 + clip_high:g} "
            "(verl takes 3)"
        )


@objectives.register("surrogate", sensible=clip_range, corrects=True)
def surrogate(
    logps: Tensor,
    batch: TokenBatch,
    *,
    reward: str,
    clip_low: Annotated[float, Field(ge=0, le=1)] = 0.2,
    clip_high: NonNegativeFloat = 0.2,
    dual_clip: Annotated[float, Field(gt=1)] | None = None,
    importance_sampling_level: Literal["token", "sequence"] = "token",
) -> TokenLoss:
    """PPO's clipped surrogate, -min(rho A, clip(rho) A) with rho = exp(logp - old_logp).

    logps: (B, T). A is the advantage of `reward`; clip holds rho between 1 - `clip_low` and
    1 + `clip_high`. With the verifier's group advantage it is GRPO (paper, 3.3); with the anchor's
    coefficient it is the score-function estimator of L_ADV.
    rho = 1.5, A = 1 costs -1.2 and has no gradient; rho = 1.5, A = -1 costs 1.5 and has one.
    `dual_clip` c bounds the loss of A < 0 by -c A (TRL's delta). With importance_sampling_level
    `sequence`, rho is the geometric mean over the response's tokens (GSPO, arXiv 2507.18071, whose
    clip bounds are far narrower: 3e-4 and 4e-4).

    Where the batch has a correction, rho is against the learner before the step's first update, and
    the loss is multiplied by the correction's weight of learner / sampler. Metrics: `clip_ratio`
    is the share of tokens whose gradient is clipped; `sampler_gap` the mean of |logp - old_logp|,
    `sampler_gap_max` the largest; `effective_sample_size` that of learner / sampler, a share;
    `capped_ratio` the share of weights that cap, floor or mask have changed.
    """
    by = correcting(logps, batch)
    advantages = batch.advantages[reward].unsqueeze(1)
    # Past e^20 the ratio is clipped anyway; unbounded it overflows and inf * 0 is NaN.
    log_ratio = (logps - by.start).clamp(-20.0, 20.0)
    if importance_sampling_level == "sequence":
        length = batch.loss_mask.sum(1, keepdim=True).clamp(min=1)
        log_ratio = ((log_ratio * batch.loss_mask).sum(1, keepdim=True) / length).expand_as(logps)
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    metrics = {"clip_ratio": (clipped * advantages < ratio * advantages).float()}
    if dual_clip is not None:
        gain = torch.where(advantages < 0, torch.maximum(gain, dual_clip * advantages), gain)
    if by.weights is not None:
        gain = by.weights * gain
        metrics["capped_ratio"] = (by.weights != by.ratio).float()
    metrics["sampler_gap"] = by.gap
    maxima, weights = {"sampler_gap_max": by.gap}, {"effective_sample_size": by.ratio}
    return TokenLoss(-gain, metrics, maxima, weights)
