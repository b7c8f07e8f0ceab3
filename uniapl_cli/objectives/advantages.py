"""Rewards to advantages: what a rollout earned beyond what was to be expected."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from uniapl_cli.registry import Registry

# (values (N,), group of each (N,)) -> advantages (N,). A group is one prompt's rollouts.
Advantage = Callable[[Tensor, Tensor], Tensor]
advantages: Registry[Advantage] = Registry("advantage")

# TRL's and ms-swift's; it keeps a group whose rewards differ by rounding from exploding.
STD_EPSILON = 1e-4


@advantages.register("group")
def group(values: Tensor, groups: Tensor) -> Tensor:
    """GRPO: minus the group's mean, over its standard deviation (ddof 1) + 1e-4.

    [1, 0, 0, 1, 0, 0, 0, 0] gives 1.619835 and -0.539945. A group of one gets 0.
    """
    mean, count, index = _group_means(values, groups)
    offset = values - mean[index]
    squares = torch.zeros_like(mean).index_add_(0, index, offset.square())
    std = (squares / (count - 1).clamp(min=1)).sqrt()
    return offset / (std[index] + STD_EPSILON)


@advantages.register("centred")
def centred(values: Tensor, groups: Tensor) -> Tensor:
    """Minus the group's mean (Dr.GRPO). The example above gives 0.75 and -0.25."""
    mean, _, index = _group_means(values, groups)
    return values - mean[index]


@advantages.register("raw")
def raw(values: Tensor, groups: Tensor) -> Tensor:
    """The value itself: the paper's anchor, without a baseline."""
    return values.clone()


def _group_means(values: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    names, index = groups.unique(return_inverse=True)
    zeros = torch.zeros(len(names), dtype=values.dtype)
    count = zeros.index_add(0, index, torch.ones_like(values))
    return zeros.index_add(0, index, values) / count, count, index
