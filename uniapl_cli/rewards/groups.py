"""The groups of a step's rollouts: those to one prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature

import torch
from torch import Tensor

from uniapl_cli.types import Rollout


def groups_of(rollouts: Sequence[Rollout]) -> Tensor:
    """Return each rollout's group, (N,)."""
    return torch.tensor([rollout.group for rollout in rollouts])


def baseline_of(rollouts: Sequence[Rollout]) -> Tensor:
    """Return which rollouts the others of their group are compared with, (N,) bool."""
    return torch.tensor([not rollout.apart for rollout in rollouts])


def supplied(rule: Callable[..., Tensor], rollouts: Sequence[Rollout]) -> dict[str, Tensor]:
    """Return what an advantage rule takes of rollouts beside their rewards, by its parameters.

    The baseline, where it is not all rollouts, and how many tokens each response has, (N,).
    """
    baseline = baseline_of(rollouts)
    some = {} if baseline.all() else {"baseline": baseline}
    if "lengths" in signature(rule).parameters:
        some["lengths"] = torch.tensor([r.completion.length for r in rollouts])
    return some


def equal_within_group(rewards: Tensor, groups: Tensor, baseline: Tensor | None = None) -> Tensor:
    """Return, (N,) bool, which rollouts are of a group whose rewards are all equal.

    rewards, groups: (N,). baseline: (N,) bool, the rows whose rewards are looked at; None: all.
    """
    names, index = groups.unique(return_inverse=True)
    low = high = rewards
    if baseline is not None:
        low, high = (rewards.masked_fill(~baseline, edge) for edge in (torch.inf, -torch.inf))
    least = rewards.new_full((len(names),), torch.inf).scatter_reduce(0, index, low, "amin")
    most = rewards.new_full((len(names),), -torch.inf).scatter_reduce(0, index, high, "amax")
    return (least >= most)[index]
