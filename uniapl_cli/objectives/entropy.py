"""Entropy: how undecided the policy is about each token."""

from __future__ import annotations

from torch import Tensor

from uniapl_cli.objectives.objective import objectives
from uniapl_cli.readings import Entropy
from uniapl_cli.tensors import TokenBatch, TokenLoss


@objectives.register("entropy", reads=(Entropy(),))
def entropy(logps: Tensor, batch: TokenBatch) -> TokenLoss:
    """-H, so that a weight above 0 is a bonus: LUFFY, HPT and UFT take 0.001.

    H is the entropy in nats of the whole distribution at the token's place, at the sampling
    temperature, and differentiable. logps: (B, T). Two equally likely tokens cost -0.6931.
    """
    return TokenLoss(-batch.readings[Entropy()])
