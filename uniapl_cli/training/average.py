"""Moving averages of trained weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from uniapl_cli.training.parts import part_of
from uniapl_cli.training.policy import Policy


class Average:
    """The moving average of a policy's trained weights, as a frozen policy of its own.

    share: that of the new weights after each step. Of weights that ranks share each has its part.
    """

    def __init__(self, policy: Policy, share: float, trained: Collection[str]) -> None:
        self.policy, self.share = policy, share
        weights = dict(policy.model.named_parameters())
        self.weights = {name: weights[name] for name in trained}

    @torch.no_grad()
    def follow(self, trained: Mapping[str, Tensor]) -> None:
        """Move the average towards the trained weights as they are now."""
        for name, weight in self.weights.items():
            part_of(weight).tensor.lerp_(part_of(trained[name]).tensor, self.share)
