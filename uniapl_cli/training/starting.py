"""Facts of a step's start: what conditions may name of the learner before its first update."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.facts import facts
from uniapl_cli.readings import Entropy, Reading
from uniapl_cli.sources import known
from uniapl_cli.tensors import Batch, TokenBatch

# Returns what all ranks have given.
Gather = Callable[[Any], list[Any]]


@facts.register(
    "entropy_rank",
    level="token",
    kind="number",
    when="start",
    reads=(Entropy(),),
    needs=(known.given.__name__,),
)
def entropy_rank(micros: Sequence[TokenBatch], gather: Gather) -> list[Tensor]:
    """The share of the step's tokens whose entropy is at most the token's own, 1 for the highest.

    Compared are the tokens of one origin: the teacher's, where `given`, or the policy's. `given and
    entropy_rank > 0.8` is the fifth of the teacher's tokens that the policy was least sure of.
    Of 0.1, 0.4 and 1.3 the ranks are 1/3, 2/3 and 1.
    """
    ranks = [torch.zeros_like(micro.readings[Entropy()]) for micro in micros]
    for given in (False, True):
        masks = [micro.loss_mask & (_given(micro) == given) for micro in micros]
        pairs = zip(micros, masks, strict=True)
        own = [micro.readings[Entropy()][mask].cpu() for micro, mask in pairs]
        everyone = [part for parts in gather(own) for part in parts]
        order = torch.cat([torch.empty(0), *everyone]).sort().values
        for ranked, mask, mine in zip(ranks, masks, own, strict=True):
            below = torch.searchsorted(order, mine, right=True)
            ranked[mask] = below.to(ranked) / max(1, len(order))
    return ranks


def _given(micro: TokenBatch) -> Tensor:
    return micro.known.get("given", torch.zeros_like(micro.loss_mask))


def start_facts(names: Collection[str]) -> list[str]:
    """Return those of some facts that are known of a step's start."""
    return sorted(name for name in names if facts[name].traits["when"] == "start")


def start_readings(names: Sequence[str]) -> list[Reading]:
    """Return what facts of a step's start are made of."""
    return list(dict.fromkeys(r for name in names for r in facts[name].traits["reads"]))


def with_facts(micros: Sequence[Batch], names: Sequence[str], gather: Gather) -> list[Batch]:
    """Return micro-batches that know these facts, from those that have the readings for them."""
    found: list[dict[str, Tensor]] = [{} for _ in micros]
    for name in names:
        for own, value in zip(found, facts[name].definition(micros, gather), strict=True):
            own[name] = value
    pairs = zip(micros, found, strict=True)
    return [micro.with_readings({}).with_known(own) for micro, own in pairs]
