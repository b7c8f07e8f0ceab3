"""The groups of a step's rollouts: those to one prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from uniapl_cli.types import Rollout


def groups_of(rollouts: Sequence[Rollout]) -> Tensor:
    """Return each rollout's group, (N,)."""
    return torch.tensor([rollout.group for rollout in rollouts])


def equal_within_group(rewards: Tensor, groups: Tensor) -> Tensor:
    """Return, (N,) bool, which rollouts are of a group whose rewards are all equal.

    rewards, groups: (N,).
    """
    names, index = groups.unique(return_inverse=True)
    least = rewards.new_full((len(names),), torch.inf).scatter_reduce(0, index, rewards, "amin")
    most = rewards.new_full((len(names),), -torch.inf).scatter_reduce(0, index, rewards, "amax")
    return (least == most)[index]
