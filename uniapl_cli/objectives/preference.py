"""GRPO and the anchor: raise the probability of rollouts whose advantage is positive."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from uniapl_cli.objectives.corrections import correcting, limited
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.objectives.reductions import row_means
from uniapl_cli.tensors import TokenBatch, TokenLoss

ClipLow = Annotated[
    float | None, Field(ge=0, le=1, description="the ratio is at least 1 minus this; null: any")
]
ClipHigh = Annotated[
    float | None, Field(ge=0, description="the ratio is at most 1 plus this; null: any")
]


def clip_range(*, clip_high: float | None, dual_clip: float | None, **_: object) -> None:
    """Refuse a `dual_clip` within the range of `clip_high`, which it would make useless."""
    if clip_high is not None and dual_clip is not None and dual_clip <= 1 + clip_high:
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
    clip_low: ClipLow = 0.2,
    clip_high: ClipHigh = 0.2,
    dual_clip: Annotated[float, Field(gt=1)] | None = None,
    importance_sampling_level: Literal["token", "sequence"] = "token",
) -> TokenLoss:
    """PPO's clipped surrogate, -min(rho A, clip(rho) A) with rho = exp(logp - old_logp).

    logps: (B, T). A is the advantage of `reward`; clip holds rho between 1 - `clip_low` and
    1 + `clip_high`, on a side where it is null not at all. With the verifier's group advantage it
    is GRPO (paper, 3.3); with the anchor's coefficient it is the score-function estimator of L_ADV.
    rho = 1.5, A = 1 costs -1.2 and has no gradient; rho = 1.5, A = -1 costs 1.5 and has one.
    `dual_clip` c bounds the loss of A < 0 by -c A (TRL's delta). With importance_sampling_level
    `sequence`, rho is the geometric mean over the response's tokens (GSPO, arXiv 2507.18071, whose
    clip bounds are far narrower: 3e-4 and 4e-4).

    Where the batch has a correction, rho is against the learner before the step's first update, and
    the loss is multiplied by the correction's weight of learner / sampler (`Correcting.loss` says
    what is logged of it). The metric `clip_ratio` is the share of tokens whose gradient is clipped.
    """
    by = correcting(logps, batch)
    advantages = batch.advantages[reward].unsqueeze(1)
    log_ratio = by.log_ratio(logps)
    if importance_sampling_level == "sequence":
        log_ratio = row_means(log_ratio, batch.loss_mask).expand_as(logps)
    ratio = log_ratio.exp()
    highest = None if clip_high is None else 1 + clip_high
    clipped = limited(ratio, highest, None if clip_low is None else 1 - clip_low)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    metrics = {"clip_ratio": (clipped * advantages < ratio * advantages).float()}
    if dual_clip is not None:
        gain = torch.where(advantages < 0, torch.maximum(gain, dual_clip * advantages), gain)
    return by.loss(gain, metrics)
