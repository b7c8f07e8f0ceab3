"""Rewarded responses of another author, whose probability of them nobody knows.

Each is policy optimisation with a ratio that does without it.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor

from uniapl_cli.objectives.corrections import correcting
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss

Uniform = Annotated[
    float,
    Field(gt=0, le=1, description="what the author is taken for: 1, or 1 / size of the vocabulary"),
]


@objectives.register("off_policy")
def off_policy(logps: Tensor, batch: TokenBatch, *, reward: str) -> TokenLoss:
    """-A p: the author's probability is taken as 1, so p is the ratio. SRFT, arXiv 2506.19767.

    logps: (B, T). The slope in log p is -A p: what the policy never says hardly teaches.
    p = 0.5, A = 1 costs -0.5.
    """
    p = logps.exp()
    return TokenLoss(-p * batch.advantages[reward].unsqueeze(1), {"p": p.detach()})


@objectives.register("shaped")
def shaped(
    logps: Tensor, batch: TokenBatch, *, reward: str, gamma: PositiveFloat = 0.1
) -> TokenLoss:
    """LUFFY's policy shaping: -A p / (p + gamma), differentiated as a whole. arXiv 2504.14945.

    logps: (B, T). The slope in log p is -A gamma p / (p + gamma)^2: steepest at p = gamma, and 0
    towards p = 0. p = gamma, A = 1 costs -0.5 and has the slope -0.25.
    """
    ratio = (logps - math.log(gamma)).sigmoid()
    metrics = {"p": logps.detach().exp(), "ratio": ratio.detach()}
    return TokenLoss(-ratio * batch.advantages[reward].unsqueeze(1), metrics)


@objectives.register("multiple_importance", corrects=True)
def multiple_importance(
    logps: Tensor, batch: TokenBatch, *, reward: str, uniform: Uniform = 1.0
) -> TokenLoss:
    """RL-PLUS's multiple importance sampling: -2 A p / (p_old + omega). arXiv 2508.00222.

    logps: (B, T). omega, the author's probability, is (p_old + `uniform`) / 2, half way between the
    policy before the update and an even one. `uniform` is 1 in the authors' code and one over the
    vocabulary's size in the paper: then the ratio goes to 4 / 3 of p / p_old. p = p_old = 0.5,
    A = 1 costs -0.8. Their weight of unsure tokens is the term's `scale: (1 - p) ** 0.5`.
    """
    by = correcting(logps, batch)
    ratio = 4 * logps.exp() / (3 * by.start.exp() + uniform)
    gain = ratio * batch.advantages[reward].unsqueeze(1)
    return by.loss(gain, {"ratio": ratio.detach()})
