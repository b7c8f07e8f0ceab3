"""Facts: what a term's conditions and scale may name of a row or of a token."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from torch import Tensor

from uniapl_cli.formulas import Kind
from uniapl_cli.registry import Registry

# What a fact is made of depends on its trait `when`:
# drawn: (rollouts, judged: RolloutRewards | None, loss_mask) -> (B,) or (B, T), by the source.
# start: (micro-batches, gather) -> a (B, T) each, known once a step, of the learner before its
# first update; gather returns what all ranks give.
# pass: (logps (B, T), batch) -> (B, T), of the learner as it is; for a scale only.
# traits: level: row or token. kind: truth or number. judged=True where the reward that decides what
# is right must be computed. reads: the Readings that a fact of a pass or of a start is made of.
# sampled=True where only rollouts have it. needs: the drawn facts that it is made of, where the
# source has them.
facts: Registry[Callable[..., Tensor]] = Registry("fact")
# The trait `facts` of a source whose batches know every drawn fact, those of plug-ins too.
EVERY = "every"


def kinds(names: Collection[str]) -> dict[str, Kind]:
    """Return the kind of each of these facts."""
    return {name: facts[name].traits["kind"] for name in names}


def named(**traits: Any) -> list[str]:
    """Return the facts that have these traits."""
    return [n for n in facts if all(facts[n].traits.get(t) == v for t, v in traits.items())]
