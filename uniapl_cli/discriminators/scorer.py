"""Rows of token ids to scores: the batches, and the prefixes that rows have in common.

A prompt's candidates are the same up to the candidate, most of a row. Such a prefix is computed
once, its keys and values handed to every row of its family, and only the ends are computed a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from uniapl_cli.discriminators.batches import Family, Row, batches, families

# (last hidden states (R, H)) -> scores (R,)
Head = Callable[[Tensor], Tensor]


class Scorer:
    """Scores rows with a decoder, for reading only.

    No computation holds more than `batch_tokens` places, padding included; while prefixes are
    shared, the keys and values of up to twice as many. One row alone may be longer. Nothing is
    kept from one call to the next: in another batch a score's last bits differ, and a run that was
    resumed would not be the one that was not.
    """

    def __init__(self, backbone: Any, head: Head, *, batch_tokens: int, share: bool) -> None:
        self.backbone = backbone
        self.head = head
        self.batch_tokens = batch_tokens
        self.share = share and can_share(backbone.config)
        self.device = next(backbone.parameters()).device

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Sequence[int]], separator: int) -> list[float]:
        """Return a score a row, in their order. Rows that are the same are computed once."""
        distinct = list(dict.fromkeys(map(tuple, rows)))
        scores: dict[int, float] = {}
        groups = families(distinct, separator) if self.share else []
        groups = [family for family in groups if family.shared]
        shared = {place for family in groups for place in family.places}
        lengths = [len(row) for row in distinct]
        alone = [place for place in range(len(distinct)) if place not in shared]
        for batch in batches(alone, lengths, self.batch_tokens):
            ids, ends = self._padded([distinct[place] for place in batch])
            hidden = self.backbone(input_ids=ids, use_cache=False).last_hidden_state
            scores |= zip(batch, self._read(hidden, ends), strict=True)
        prefixes = [family.shared for family in groups]
        for chosen in batches(range(len(groups)), prefixes, self.batch_tokens):
            scores |= self._shared([groups[i] for i in chosen], distinct)
        order = {row: place for place, row in enumerate(distinct)}
        return [scores[order[tuple(row)]] for row in rows]

    def _shared(self, groups: Sequence[Family], rows: Sequence[Row]) -> dict[int, float]:
        """Score the rows of some families: the prefixes in one go, then the ends in batches."""
        ids, starts = self._padded([rows[group.places[0]][: group.shared] for group in groups])
        cache = DynamicCache(config=self.backbone.config)
        self.backbone(input_ids=ids, past_key_values=cache, use_cache=True)
        owner = {place: number for number, group in enumerate(groups) for place in group.places}
        ends = {place: rows[place][groups[owner[place]].shared :] for place in owner}
        width = ids.shape[1]
        prices = [width + len(ends.get(place, ())) for place in range(len(rows))]
        scores: dict[int, float] = {}
        for batch in batches(owner, prices, self.batch_tokens):
            owners = torch.tensor([owner[place] for place in batch], device=self.device)
            suffix, sizes = self._padded([ends[place] for place in batch])
            hidden = self._continue(cache, owners, starts[owners], suffix)
            scores |= zip(batch, self._read(hidden, sizes), strict=True)
        return scores

    def _continue(self, cache: Any, owners: Tensor, starts: Tensor, suffix: Tensor) -> Tensor:
        """Return the hidden states of the ends, each behind its owner's prefix.

        Prefixes are padded on the right, so the places between a prefix and its end are masked.
        """
        copy = DynamicCache(config=self.backbone.config)
        for number, layer in enumerate(cache.layers):
            copy.update(layer.keys[owners], layer.values[owners], number)
        before = torch.arange(cache.get_seq_length(), device=self.device) < starts.unsqueeze(1)
        steps = torch.arange(suffix.shape[1], device=self.device)
        return self.backbone(
            input_ids=suffix,
            attention_mask=torch.cat([before, torch.ones_like(suffix, dtype=torch.bool)], 1).long(),
            position_ids=starts.unsqueeze(1) + steps,
            past_key_values=copy,
            use_cache=True,
        ).last_hidden_state

    def _padded(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Return ((R, L) ids padded on the right, (R,) lengths)."""
        width = max(map(len, rows))
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
        return ids.to(self.device), torch.tensor([len(row) for row in rows], device=self.device)

    def _read(self, hidden: Tensor, lengths: Tensor) -> list[float]:
        """Return the scores, read at each row's last token."""
        return self.head(hidden[torch.arange(len(hidden)), lengths - 1]).tolist()


def can_share(config: Any) -> bool:
    """Whether prefixes can be shared: every layer keeps all keys, and a mask may have holes.

    Flash attention takes no such mask; sliding windows and recurrent layers keep too little.
    """
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    plain = getattr(config, "_attn_implementation", "sdpa") in ("sdpa", "eager")
    return plain and kinds == {"full_attention"} and not window
