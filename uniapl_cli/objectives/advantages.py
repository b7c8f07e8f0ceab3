"""Rewards to advantages: how much more a rollout earned than expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from uniapl_cli.registry import Registry

# (rewards (N,), groups (N,), *, options) -> advantages (N,). A group is one prompt's rollouts.
# traits: contrast=True where a rollout is compared with the others of its group. supplied:
# baseline, (N,) bool, the rows that others are compared with; None, or not given: all. lengths,
# (N,), the responses' tokens, given to a rule that takes them.
Advantage = Callable[..., Tensor]
advantages: Registry[Advantage] = Registry("advantage", supplied=("baseline", "lengths"))

# TRL's and ms-swift's. Without it, rewards that differ by rounding alone give huge advantages.
STD_EPSILON = 1e-4
# A spread below this share of the largest reward is rounding alone.
ROUNDING = 1e-6


@advantages.register("group", contrast=True)
def group(
    rewards: Tensor,
    groups: Tensor,
    *,
    baseline: Tensor | None = None,
    epsilon: PositiveFloat = STD_EPSILON,
    ddof: Literal[0, 1] = 1,
) -> Tensor:
    """GRPO: minus the group's mean, over its standard deviation + `epsilon`.

    [1, 0, 0, 1, 0, 0, 0, 0] gives 1.619835 and -0.539945. A group of one gets 0. `ddof` 1 divides
    the squares by n - 1, as TRL, ms-swift, verl and OpenRLHF do; 0 by n, as open-instruct does.
    A row that is not in the baseline is compared with those that are; where these earned the same,
    the deviation is taken as 1 (LUFFY's grpo_split).
    """
    mean, count, index = _group_means(rewards, groups, baseline)
    offset = rewards - mean[index]
    own = offset.square() if baseline is None else offset.square() * baseline
    squares = torch.zeros_like(mean).index_add_(0, index, own)
    std = (squares / (count - ddof).clamp(min=1)).sqrt()
    if baseline is not None:
        std = torch.where(_spread(std, rewards), std, 1)
    return offset / (std[index] + epsilon)


@advantages.register("batch", contrast=True)
def batch(
    rewards: Tensor,
    groups: Tensor,
    *,
    baseline: Tensor | None = None,
    epsilon: PositiveFloat = STD_EPSILON,
) -> Tensor:
    """Minus the group's mean, over the standard deviation (ddof 1) of all rewards + `epsilon`.

    TRL's scale_rewards="batch". A step of one rollout gets 0. With a baseline, mean and deviation
    are those of its rows, and a deviation of 0 is taken as 1.
    """
    known = rewards if baseline is None else rewards[baseline]
    std = known.std(correction=1) if len(known) > 1 else rewards.new_zeros(())
    if baseline is not None:
        std = torch.where(_spread(std, rewards), std, 1)
    return centred(rewards, groups, baseline=baseline) / (std + epsilon)


@advantages.register("centred", contrast=True)
def centred(rewards: Tensor, groups: Tensor, *, baseline: Tensor | None = None) -> Tensor:
    """Minus the group's mean (Dr.GRPO). The example above gives 0.75 and -0.25."""
    mean, _, index = _group_means(rewards, groups, baseline)
    return rewards - mean[index]


@advantages.register("leave_one_out", contrast=True)
def leave_one_out(
    rewards: Tensor,
    groups: Tensor,
    *,
    baseline: Tensor | None = None,
    normalise: bool = False,
    epsilon: NonNegativeFloat = 1e-6,
) -> Tensor:
    """Minus the mean of the group's other rollouts (RLOO): 0.857143 and -0.285714 of the above.

    With `normalise`, divided by the others' standard deviation (ddof 1) + `epsilon` unless that is
    0, as in NeMo-RL: 2.267781 and -0.585539. A group of one gets 0. To a row that is not in the
    baseline, all rows that are in it are the others.
    """
    mean, count, index = _group_means(rewards, groups, baseline)
    inside = torch.ones_like(rewards) if baseline is None else baseline.to(rewards.dtype)
    others = (count[index] - inside).clamp(min=1)
    from_mean = rewards - mean[index]
    offset = torch.where(inside > 0, from_mean * count[index] / others, from_mean)
    if not normalise:
        return offset
    squares = torch.zeros_like(mean).index_add_(0, index, from_mean.square() * inside)
    # Without one member, the group's sum of squares is less by offset^2 (n - 1) / n.
    left = (squares[index] - inside * offset.square() * others / count[index]).clamp(min=0)
    std = (left / (others - 1).clamp(min=1)).sqrt()
    return torch.where(_spread(std, rewards), offset / (std + epsilon), offset)


@advantages.register("reinforce_pp", contrast=True)
def reinforce_pp(
    rewards: Tensor,
    groups: Tensor,
    *,
    baseline: Tensor | None = None,
    lengths: Tensor | None = None,
    over: Literal["tokens", "rows"] = "tokens",
) -> Tensor:
    """REINFORCE++ with a baseline: minus the group's mean, then whitened over the whole step.

    Minus the mean of all tokens' values, over their standard deviation (ddof 1, 1e-8 under the
    root), as verl does: a long response weighs more. `rows` counts each once (ms-swift). Without
    `lengths` tokens are rows. With a baseline, mean and deviation are those of its rows, and a
    deviation of 0 is taken as 1. arXiv 2501.03262.
    """
    values = centred(rewards, groups, baseline=baseline)
    weights = torch.ones_like(rewards) if baseline is None else baseline.to(rewards.dtype)
    if over == "tokens" and lengths is not None:
        weights = weights * lengths
    mean = (values * weights).sum() / weights.sum().clamp(min=1)
    squares = ((values - mean).square() * weights).sum()
    variance = squares / (weights.sum() - 1).clamp(min=1)
    if baseline is not None:
        variance = torch.where(_spread(variance.sqrt(), rewards), variance, 1)
    return (values - mean) / (variance + 1e-8).sqrt()


@advantages.register("maxrl", contrast=True)
def maxrl(rewards: Tensor, groups: Tensor, *, baseline: Tensor | None = None) -> Tensor:
    """MaxRL: minus the group's mean, over that mean; 0 where it is not above 0. arXiv 2602.02710.

    Of the rewards above, 3 and -1: the rarer what is right, the more it counts. For rewards of at
    least 0.
    """
    mean, _, index = _group_means(rewards, groups, baseline)
    share = (rewards - mean[index]) / mean[index]
    return torch.where(mean[index] > 0, share, 0.0)


@advantages.register("positive")
def positive(rewards: Tensor, groups: Tensor, *, baseline: Tensor | None = None) -> Tensor:
    """The reward where it is above 0, else 0: RAFT, which learns from what is right alone."""
    return rewards.clamp(min=0)


@advantages.register("raw")
def raw(rewards: Tensor, groups: Tensor, *, baseline: Tensor | None = None) -> Tensor:
    """The reward itself, compared with nothing: the paper's anchor."""
    return rewards.clone()


def _spread(std: Tensor, rewards: Tensor) -> Tensor:
    """Whether a deviation is more than rounding leaves of equal rewards."""
    return std > ROUNDING * rewards.abs().max().clamp(min=1e-30)


def _group_means(
    rewards: Tensor, groups: Tensor, baseline: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return each group's mean and count, of its rows in the baseline, and each row's group."""
    names, index = groups.unique(return_inverse=True)
    zeros = torch.zeros(len(names), dtype=rewards.dtype)
    inside = torch.ones_like(rewards) if baseline is None else baseline.to(rewards.dtype)
    count = zeros.index_add(0, index, inside)
    total = zeros.index_add(0, index, rewards * inside)
    return total / count.clamp(min=1), count, index
