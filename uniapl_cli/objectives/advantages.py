"""Rewards to advantages: how much more a rollout earned than expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from uniapl_cli.registry import Registry

# (rewards (N,), groups (N,), *, options) -> advantages (N,). A group is one prompt's rollouts.
# traits: contrast=True where a rollout is compared with the others of its group.
Advantage = Callable[..., Tensor]
advantages: Registry[Advantage] = Registry("advantage")

# TRL's and ms-swift's. Without it, rewards that differ by rounding alone give huge advantages.
STD_EPSILON = 1e-4


@advantages.register("group", contrast=True)
def group(
    rewards: Tensor,
    groups: Tensor,
    *,
    epsilon: PositiveFloat = STD_EPSILON,
    ddof: Literal[0, 1] = 1,
) -> Tensor:
    """GRPO: minus the group's mean, over its standard deviation + `epsilon`.

    [1, 0, 0, 1, 0, 0, 0, 0] gives 1.619835 and -0.539945. A group of one gets 0. `ddof` 1 divides
    the squares by n - 1, as TRL, ms-swift, verl and OpenRLHF do; 0 by n, as open-instruct does.
    """
    mean, count, index = _group_means(rewards, groups)
    offset = rewards - mean[index]
    squares = torch.zeros_like(mean).index_add_(0, index, offset.square())
    std = (squares / (count - ddof).clamp(min=1)).sqrt()
    return offset / (std[index] + epsilon)


@advantages.register("batch", contrast=True)
def batch(rewards: Tensor, groups: Tensor, *, epsilon: PositiveFloat = STD_EPSILON) -> Tensor:
    """Minus the group's mean, over the standard deviation (ddof 1) of all rewards + `epsilon`.

    TRL's scale_rewards="batch". A step of one rollout gets 0.
    """
    std = rewards.std(correction=1) if len(rewards) > 1 else rewards.new_zeros(())
    return centred(rewards, groups) / (std + epsilon)


@advantages.register("centred", contrast=True)
def centred(rewards: Tensor, groups: Tensor) -> Tensor:
    """Minus the group's mean (Dr.GRPO). The example above gives 0.75 and -0.25."""
    mean, _, index = _group_means(rewards, groups)
    return rewards - mean[index]


@advantages.register("leave_one_out", contrast=True)
def leave_one_out(
    rewards: Tensor, groups: Tensor, *, normalise: bool = False, epsilon: NonNegativeFloat = 1e-6
) -> Tensor:
    """Minus the mean of the group's other rollouts (RLOO): 0.857143 and -0.285714 of the above.

    With `normalise`, divided by the others' standard deviation (ddof 1) + `epsilon` unless that is
    0, as in NeMo-RL: 2.267781 and -0.585539. A group of one gets 0.
    """
    mean, count, index = _group_means(rewards, groups)
    others = (count[index] - 1).clamp(min=1)
    offset = (rewards - mean[index]) * count[index] / others
    if not normalise:
        return offset
    squares = torch.zeros_like(mean).index_add_(0, index, (rewards - mean[index]).square())
    # Without one member, the group's sum of squares is less by offset^2 (n - 1) / n.
    left = (squares[index] - offset.square() * others / count[index]).clamp(min=0)
    std = (left / (others - 1).clamp(min=1)).sqrt()
    spread = std > 1e-6 * rewards.abs().max().clamp(min=1e-30)
    return torch.where(spread, offset / (std + epsilon), offset)


@advantages.register("raw")
def raw(rewards: Tensor, groups: Tensor) -> Tensor:
    """The reward itself, without a baseline: the paper's anchor."""
    return rewards.clone()


def _group_means(rewards: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    names, index = groups.unique(return_inverse=True)
    zeros = torch.zeros(len(names), dtype=rewards.dtype)
    count = zeros.index_add(0, index, torch.ones_like(rewards))
    return zeros.index_add(0, index, rewards) / count, count, index
