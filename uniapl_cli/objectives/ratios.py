"""Rollouts weighed by other functions of the ratio to their sampler than PPO's clip."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from uniapl_cli.objectives.corrections import Cap, Floor, correcting, limited
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.objectives.reductions import row_means
from uniapl_cli.tensors import TokenBatch, TokenLoss

LogClip = Annotated[
    NonNegativeFloat | None, Field(description="bound of the log-ratio on this side; null: none")
]


@objectives.register("cispo", corrects=True)
def cispo(
    logps: Tensor, batch: TokenBatch, *, reward: str, cap: Cap = 5.0, floor: Floor = None
) -> TokenLoss:
    """CISPO: -w A log p with w = exp(logp - old_logp) held below `cap`; w is not differentiated.

    logps: (B, T). No token loses its gradient, however far its ratio. arXiv 2506.13585. A cap of 5
    without a floor is TRL's and ms-swift's; verl's default is 1.2 and 0.8. A ratio of 6 with A = 1
    and log p = -1 costs 5 and has the slope -5. The metric `clipped_weight` is the share of tokens
    whose weight is held.
    """
    by = correcting(logps, batch)
    ratio = by.log_ratio(logps.detach()).exp()
    weight = limited(ratio, cap, floor)
    gain = weight * batch.advantages[reward].unsqueeze(1) * logps
    return by.loss(gain, {"clipped_weight": (weight != ratio).float()})


@objectives.register("gmpo", corrects=True, whole=True)
def gmpo(
    logps: Tensor,
    batch: TokenBatch,
    *,
    reward: str,
    clip_low: LogClip = 0.4,
    clip_high: LogClip = 0.4,
) -> TokenLoss:
    """GMPO: -s A, s being the geometric mean of a response's token ratios, each clipped first.

    logps: (B, T). Where A > 0, no token's log-ratio counts as more than `clip_high`; where A < 0,
    none as less than -`clip_low`. Every token has the loss of its response. arXiv 2507.20673
    (0.4 on both sides). Log-ratios of 0.2 and 0.6 with A = 1 cost -exp(0.3) = -1.3499; the second
    has no gradient. The metric `clip_ratio` is the share of such tokens.
    """
    by = correcting(logps, batch)
    advantages = batch.advantages[reward].unsqueeze(1)
    log_ratio = by.log_ratio(logps)
    highest = log_ratio if clip_high is None else log_ratio.clamp(max=clip_high)
    lowest = log_ratio if clip_low is None else log_ratio.clamp(min=-clip_low)
    clipped = torch.where(advantages > 0, highest, lowest)
    gain = row_means(clipped, batch.loss_mask).exp() * advantages
    return by.loss(gain.expand_as(logps), {"clip_ratio": (clipped != log_ratio).float()})


@objectives.register("sapo", corrects=True)
def sapo(
    logps: Tensor,
    batch: TokenBatch,
    *,
    reward: str,
    tau_pos: PositiveFloat = 1.0,
    tau_neg: PositiveFloat = 1.05,
) -> TokenLoss:
    """SAPO: -A sigmoid(tau (rho - 1)) 4 / tau with rho = exp(logp - old_logp): a soft clip.

    logps: (B, T). tau is `tau_pos` where A > 0 and `tau_neg` elsewhere. The slope in rho is A at
    rho = 1 and falls off on both sides. arXiv 2511.20347. rho = 1, A = 1 costs -2 and has the slope
    -1; rho = 2 costs -2.9242 and has the slope -1.5729 in log p. The metric `gate` is the slope's
    share of PPO's without a clip.
    """
    by = correcting(logps, batch)
    advantages = batch.advantages[reward].unsqueeze(1)
    # Of two numbers alone, `where` would make float32.
    tau = torch.where(advantages > 0, logps.new_tensor(tau_pos), logps.new_tensor(tau_neg))
    gate = (tau * (by.log_ratio(logps).exp() - 1)).sigmoid()
    open_ = 4 * gate * (1 - gate)
    return by.loss(4 / tau * gate * advantages, {"gate": open_.detach()})
