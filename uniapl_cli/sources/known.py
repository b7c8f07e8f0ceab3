"""Facts of rollouts: what terms' conditions may name of a row, or of its tokens, once drawn."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from uniapl_cli.facts import facts, named
from uniapl_cli.rewards.groups import baseline_of, equal_within_group, groups_of
from uniapl_cli.rewards.reward import RolloutRewards
from uniapl_cli.types import Rollout

# A reward from which on a rollout is right: that of the verifier when all of a row passes.
RIGHT = 1.0
Judged = RolloutRewards | None


@facts.register("expert", level="row", kind="truth", when="drawn")
def expert(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """Whether the row is the teacher's response rather than the policy's."""
    return torch.tensor([rollout.expert for rollout in rollouts])


@facts.register("right", level="row", kind="truth", when="drawn", judged=True)
def right(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """Whether the row earned 1 or more by the reward that `sources.NAME.judged_by` names."""
    return _rewards(judged) >= RIGHT


@facts.register("another_right", level="row", kind="truth", when="drawn", judged=True)
def another_right(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """Whether another rollout to the row's prompt is right."""
    own = right(rollouts, judged, mask).float()
    names, index = groups_of(rollouts).unique(return_inverse=True)
    return torch.zeros(len(names)).index_add(0, index, own)[index] > own


@facts.register("right_share", level="row", kind="number", when="drawn", judged=True)
def right_share(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """The share of the policy's own rollouts to the row's prompt that are right; 0 without any."""
    own = (~expert(rollouts, judged, mask)).float()
    names, index = groups_of(rollouts).unique(return_inverse=True)
    zeros = torch.zeros(len(names))
    rights = zeros.index_add(0, index, own * right(rollouts, judged, mask))
    return (rights / zeros.index_add(0, index, own).clamp(min=1))[index]


@facts.register("all_equal", level="row", kind="truth", when="drawn", judged=True)
def all_equal(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """Whether all rows of the prompt that are in its baseline earned the same."""
    return equal_within_group(_rewards(judged), groups_of(rollouts), baseline_of(rollouts))


@facts.register("reward", level="row", kind="number", when="drawn", judged=True)
def reward(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """What the row earned by the reward that `sources.NAME.judged_by` names."""
    return _rewards(judged)


@facts.register("truncated", level="row", kind="truth", when="drawn")
def truncated(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """Whether the response was cut off at sampling.max_new_tokens."""
    return torch.tensor([rollout.completion.finish_reason == "length" for rollout in rollouts])


@facts.register("length", level="row", kind="number", when="drawn")
def length(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """The response's tokens, stop token included."""
    return torch.tensor([float(rollout.completion.length) for rollout in rollouts])


@facts.register("given", level="token", kind="truth", when="drawn")
def given(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """Whether the token is the teacher's: one of a response's given beginning, or of all of it."""
    return mask & (_place(mask) < torch.tensor([[rollout.given] for rollout in rollouts]))


@facts.register("position", level="token", kind="number", when="drawn")
def position(rollouts: Sequence[Rollout], judged: Judged, mask: Tensor) -> Tensor:
    """The token's place in its response, from 0."""
    return (_place(mask) * mask).float()


def _place(mask: Tensor) -> Tensor:
    return mask.long().cumsum(1) - 1


def _rewards(judged: Judged) -> Tensor:
    assert judged is not None, "computed where a fact needs it"
    return judged.rewards


def needs_judging(names: Collection[str]) -> bool:
    """Whether any of these facts needs the reward that decides what is right."""
    return any(facts[name].traits.get("judged") for name in names)


def known_of(
    rollouts: Sequence[Rollout], names: Collection[str], judged: Judged, mask: Tensor
) -> dict[str, Tensor]:
    """Return those of the facts that are known of rollouts, by name."""
    wanted = [name for name in named(when="drawn") if name in names]
    return {name: facts[name].definition(rollouts, judged, mask) for name in wanted}
