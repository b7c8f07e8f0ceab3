"""The frozen reference policy, and a policy's log-probabilities of rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from uniapl_cli.data.collate import pad_rows
from uniapl_cli.partition import partition, pass_tokens
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Rollout


class Reference(Protocol):
    """A policy that is only read: the frozen one, or the learner before an update."""

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities."""
        ...

    def teacher(self, batch: TokenBatch) -> Any:
        """Return the whole distributions of the masked tokens, for passes of the policy."""
        ...


@dataclass(frozen=True)
class RolloutLogps:
    """Rollouts to a policy's log-probability of each response token, at their temperature.

    tokens: those of a forward pass, padding included. ranks: who share the passes.
    """

    reference: Reference
    device: torch.device
    pad_id: int
    temperature: float
    tokens: int
    ranks: Ranks = ALONE

    @torch.no_grad()
    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        """Return one list a rollout, one log-probability a token of its response."""
        pairs = [(r.prompt_ids, r.completion.token_ids) for r in rollouts]
        batch = TokenBatch(*pad_rows(pairs, self.pad_id), temperature=self.temperature)
        rows_logps: list[list[float]] = [[] for _ in rollouts]
        lengths = batch.row_lengths().clamp(min=1)
        groups = list(partition(lengths, self.tokens, pass_tokens(self.device.type)))
        mine = self.ranks.deal(groups, lambda rows: len(rows) * int(lengths[rows].max()))
        found: dict[int, list[float]] = {}
        for rows in mine:
            part = batch.take(rows)
            logps = self.reference.forward(part.to(self.device)).cpu()
            for row, own, mask in zip(rows.tolist(), logps, part.loss_mask, strict=True):
                found[row] = own[mask].tolist()
        if self.ranks.sharded and len(mine) * self.ranks.world < len(groups):
            # Those who compute one more group need this rank's part of the weights.
            self.reference.forward(batch.take(groups[-1][-1:]).to(self.device))
        for part_of in self.ranks.gather(found, "log-probabilities of rollouts"):
            for row, logprobs in part_of.items():
                rows_logps[row] = logprobs
        return rows_logps
