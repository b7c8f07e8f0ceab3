"""Reward functions called by several ranks, each on some of a step's rollouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from uniapl_cli.ranks import Ranks
from uniapl_cli.rewards.values import Values
from uniapl_cli.types import Rollout

# groups: each rank calls it on its share of the prompts, all rollouts to one together. first: the
# first rank calls it on all, as one that may compare the rollouts of a step has to be. itself: all
# ranks call it on all, and it shares them out by itself.
Shares = Literal["groups", "first", "itself"]


def over_ranks(
    ranks: Ranks,
    compute: Callable[[Sequence[Rollout]], Values],
    rollouts: Sequence[Rollout],
    shares: Shares,
    name: str,
) -> Values:
    """Return compute(rollouts), on all ranks; `shares` says on which it is called."""
    if ranks.world == 1 or shares == "itself":
        return compute(rollouts)
    doing = f"reward function '{name}'"
    if shares == "first":
        return ranks.of_first(lambda: compute(rollouts), doing)
    groups = list(dict.fromkeys(rollout.group for rollout in rollouts))
    owner = {group: place % ranks.world for place, group in enumerate(groups)}
    mine = [rollout for rollout in rollouts if owner[rollout.group] == ranks.rank]
    parts = ranks.gather(compute(mine) if mine else Values(), doing)
    order, places = [owner[rollout.group] for rollout in rollouts], [0] * ranks.world
    whole = Values()
    for rank in order:
        whole.extend(parts[rank], [places[rank]])
        places[rank] += 1
    return whole
