"""What a step's terms count: their denominators, and the rows that none of them needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from uniapl_cli.tensors import Batch, TokenBatch
from uniapl_cli.training.starting import start_facts
from uniapl_cli.training.terms import Term


@dataclass(frozen=True)
class Counts:
    """By term: what its losses are divided by, and the share of its source's tokens it counts.

    A term is absent where that is known only after a pass of the learner.
    """

    denominators: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def logged(self) -> dict[str, float]:
        """The shares as a step logs them."""
        return {f"{name}/counted": share for name, share in self.shares.items()}


def counted(terms: Sequence[Term], batches: Mapping[str, Batch]) -> tuple[dict[str, Batch], Counts]:
    """Return the batches without the rows that no term counts, and what was counted of the whole.

    So a row costs a pass only where it teaches: a gate that imitates a group leaves its rollouts
    out. Batches of another kind than TokenBatch stay whole.
    """
    denominators: dict[str, float] = {}
    shares: dict[str, float] = {}
    kept: dict[str, Batch] = dict(batches)
    for source, batch in batches.items():
        own = [term for term in terms if term.source == source]
        if not isinstance(batch, TokenBatch) or any(start_facts(term.facts) for term in own):
            continue
        needed = torch.zeros(len(batch.loss_mask), dtype=torch.bool)
        for term in own:
            mask, base = term.mask(batch), batch.mask_for(term.reward)
            denominators[term.name] = float(term.count(batch))
            if term.rows is not None or term.tokens is not None:
                shares[term.name] = int(mask.sum()) / max(1, int(base.sum()))
            needed |= mask.any(1)
        # A step whose rows all teach nothing still takes part in a pass.
        rows = needed.nonzero().flatten() if needed.any() else torch.tensor([0])
        if len(rows) < len(needed):
            kept[source] = batch.take(rows)
    return kept, Counts(denominators, shares)
