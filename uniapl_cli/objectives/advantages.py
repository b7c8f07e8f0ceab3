"""Rewards to advantages: what a rollout earned beyond what was to be expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from uniapl_cli.registry import Registry

# (values (N,), group of each (N,), *, options) -> advantages (N,). A group is one prompt's
# rollouts. traits: contrast=True where a rollout is held against the others of its group.
Advantage = Callable[..., Tensor]
advantages: Registry[Advantage] = Registry("advantage")

# TRL's and ms-swift's; it keeps a group whose rewards differ by rounding from exploding.
STD_EPSILON = 1e-4


@advantages.register("group", contrast=True)
def group(
    values: Tensor, groups: Tensor, *, epsilon: PositiveFloat = STD_EPSILON, ddof: Literal[0, 1] = 1
) -> Tensor:
    """GRPO: minus the group's mean, over its standard deviation + `epsilon`.

    [1, 0, 0, 1, 0, 0, 0, 0] gives 1.619835 and -0.539945. A group of one gets 0. `ddof` 1 divides
    the squares by n - 1, as TRL, ms-swift, verl and OpenRLHF do; 0 by n, as open-instruct does.
    """
    mean, count, index = _group_means(values, groups)
    offset = values - mean[index]
    squares = torch.zeros_like(mean).index_add_(0, index, offset.square())
    std = (squares / (count - ddof).clamp(min=1)).sqrt()
    return offset / (std[index] + epsilon)


@advantages.register("batch", contrast=True)
def batch(values: Tensor, groups: Tensor, *, epsilon: PositiveFloat = STD_EPSILON) -> Tensor:
    """Minus the group's mean, over the standard deviation (ddof 1) of all values + `epsilon`.

    TRL's scale_rewards="batch". A step of one rollout gets 0.
    """
    std = values.std(correction=1) if len(values) > 1 else values.new_zeros(())
    return centred(values, groups) / (std + epsilon)


@advantages.register("centred", contrast=True)
def centred(values: Tensor, groups: Tensor) -> Tensor:
    """Minus the group's mean (Dr.GRPO). The example above gives 0.75 and -0.25."""
    mean, _, index = _group_means(values, groups)
    return values - mean[index]


@advantages.register("leave_one_out", contrast=True)
def leave_one_out(
    values: Tensor, groups: Tensor, *, normalise: bool = False, epsilon: NonNegativeFloat = 1e-6
) -> Tensor:
    """Minus the mean of the group's other rollouts (RLOO): 0.857143 and -0.285714 of the above.

    With `normalise`, over the others' standard deviation (ddof 1) + `epsilon`, where that is not 0,
    as NeMo-RL does: 2.267781 and -0.585539. A group of one gets 0.
    """
    mean, count, index = _group_means(values, groups)
    others = (count[index] - 1).clamp(min=1)
    offset = (values - mean[index]) * count[index] / others
    if not normalise:
        return offset
    squares = torch.zeros_like(mean).index_add_(0, index, (values - mean[index]).square())
    # Taking a member out of a group takes offset^2 (n - 1) / n out of its sum of squares.
    left = (squares[index] - offset.square() * others / count[index]).clamp(min=0)
    std = (left / (others - 1).clamp(min=1)).sqrt()
    spread = std > 1e-6 * values.abs().max().clamp(min=1e-30)
    return torch.where(spread, offset / (std + epsilon), offset)


@advantages.register("raw")
def raw(values: Tensor, groups: Tensor) -> Tensor:
    """The value itself: the paper's anchor, without a baseline."""
    return values.clone()


def _group_means(values: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    names, index = groups.unique(return_inverse=True)
    zeros = torch.zeros(len(names), dtype=values.dtype)
    count = zeros.index_add(0, index, torch.ones_like(values))
    return zeros.index_add(0, index, values) / count, count, index
