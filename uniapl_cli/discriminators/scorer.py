"""Rows of token ids to scores: the batches, and the prefixes that rows have in common.

A prompt's candidates are the same up to the candidate, most of a row. Such a prefix is computed
once, its keys and values handed to every row of its family, and only the ends are computed a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.discriminators.batches import Family, Row, batches, families
from uniapl_cli.discriminators.prefixes import Prefixes, States

# From so many ids on, a prefix by itself takes no longer than in a batch with others.
LONG = 128

# (last hidden states (R, H)) -> scores (R,)
Head = Callable[[Tensor], Tensor]


class Scorer:
    """Scores rows with a decoder, for reading only.

    No computation holds more than `batch_tokens` places, padding included; while prefixes are
    shared, the keys and values of up to twice as many. One row alone may be longer.

    Scores are not batch-invariant: batching changes the last bits. Cached prefixes, the long ones,
    are therefore always computed alone, so a resumed run gives the same bits. What else is computed
    together depends on the call's rows only, not on what was cached before.
    """

    def __init__(
        self,
        backbone: Any,
        head: Head,
        *,
        batch_tokens: int,
        share: bool,
        prefixes: Prefixes | None = None,
    ) -> None:
        self.backbone = backbone
        self.head = head
        self.batch_tokens = batch_tokens
        self.share = share and can_share(backbone.config)
        self.device = next(backbone.parameters()).device
        self.prefixes = prefixes or Prefixes(0)

    @torch.inference_mode()
    def __call__(
        self, rows: Sequence[Row], prefixes: Sequence[Row], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return a score a row, in their order. Rows that are the same are computed once.

        prefixes: for each row, the longest prefix it can share with other candidates of its prompt.
        With `batch_invariant` no two rows are computed together.
        """
        asked = list(zip(rows, prefixes, strict=True))
        place_of = {pair: place for place, pair in enumerate(dict.fromkeys(asked))}
        distinct = [row for row, _ in place_of]
        budget = 1 if batch_invariant else self.batch_tokens
        groups = families(distinct, [prefix for _, prefix in place_of]) if self.share else []
        # A row without siblings is sooner computed in a batch of such rows than in two parts.
        groups = [family for family in groups if batch_invariant or len(family.shared) > 1]
        shared = {place for family in groups for place in family.shared}
        single = [place for place in range(len(distinct)) if place not in shared]
        scores: dict[int, float] = {}
        for batch in batches(single, [len(row) for row in distinct], budget):
            ids, ends = self._padded([distinct[place] for place in batch])
            hidden = self.backbone(input_ids=ids, use_cache=False).last_hidden_state
            scores |= zip(batch, self._read(hidden, ends), strict=True)
        widths = [len(family.prefix) for family in groups]
        for chosen in batches(range(len(groups)), widths, budget):
            scores |= self._shared([groups[i] for i in chosen], distinct, budget)
        return [scores[place_of[pair]] for pair in asked]

    def _shared(
        self, groups: Sequence[Family], rows: Sequence[Row], budget: int
    ) -> dict[int, float]:
        """Score the rows of some families: the prefixes first, then the ends in batches."""
        states = self._stacked([group.prefix for group in groups])
        owner = {place: number for number, group in enumerate(groups) for place in group.shared}
        starts = {place: start for group in groups for place, start in group.shared.items()}
        width = max(len(group.prefix) for group in groups)
        prices = [width + len(row) - starts.get(place, 0) for place, row in enumerate(rows)]
        scores: dict[int, float] = {}
        for batch in batches(owner, prices, budget):
            owners = torch.tensor([owner[place] for place in batch], device=self.device)
            begins = torch.tensor([starts[place] for place in batch], device=self.device)
            suffix, sizes = self._padded([rows[place][starts[place] :] for place in batch])
            hidden = self._continue(states, owners, begins, suffix)
            scores |= zip(batch, self._read(hidden, sizes), strict=True)
        return scores

    def _stacked(self, prefixes: Sequence[Row]) -> States:
        """Return the states of prefixes as one batch (P, heads, S, width), padded on the right."""
        long = [place for place, ids in enumerate(prefixes) if len(ids) >= LONG]
        short = [place for place, ids in enumerate(prefixes) if len(ids) < LONG]
        together = self._states([prefixes[place] for place in short]) if short else []
        if not long:
            return together
        stack: States = []
        width = max(map(len, prefixes))
        for place in long:
            states = self.prefixes.get(prefixes[place], lambda ids: self._states([ids]))
            if not stack:
                stack = [s.new_zeros(len(prefixes), s.shape[1], width, s.shape[3]) for s in states]
            _put(stack, [place], states)
        if short:
            _put(stack, short, together)
        return stack

    def _states(self, prefixes: Sequence[Row]) -> States:
        """Compute prefixes in one go."""
        cache = self._new_cache()
        tokens, _ = self._padded(prefixes)
        self.backbone(input_ids=tokens, past_key_values=cache, use_cache=True)
        return [state for layer in cache.layers for state in (layer.keys, layer.values)]

    def _continue(self, states: States, owners: Tensor, starts: Tensor, suffix: Tensor) -> Tensor:
        """Return the hidden states of the ends (R, L), each behind `starts` ids of its owner.

        The places between them, padding or what a row does not share, are masked.
        """
        cache = self._new_cache()
        for number, (keys, values) in enumerate(zip(states[::2], states[1::2], strict=True)):
            cache.update(keys[owners], values[owners], number)
        before = torch.arange(cache.get_seq_length(), device=self.device) < starts.unsqueeze(1)
        steps = torch.arange(suffix.shape[1], device=self.device)
        return self.backbone(
            input_ids=suffix,
            attention_mask=torch.cat([before, torch.ones_like(suffix, dtype=torch.bool)], 1).long(),
            position_ids=starts.unsqueeze(1) + steps,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state

    def _new_cache(self) -> Any:
        from transformers import DynamicCache  # importing it takes most of a second

        return DynamicCache(config=self.backbone.config)

    def _padded(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Return ((R, L) ids padded on the right, (R,) lengths)."""
        width = max(map(len, rows))
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
        return ids.to(self.device), torch.tensor([len(row) for row in rows], device=self.device)

    def _read(self, hidden: Tensor, lengths: Tensor) -> list[float]:
        """Return the scores, read at each row's last token."""
        return self.head(hidden[torch.arange(len(hidden)), lengths - 1]).tolist()


def _put(stack: States, places: list[int], states: States) -> None:
    """Write the states of the prefixes at some places into those of all."""
    for whole, part in zip(stack, states, strict=True):
        whole[places, :, : part.shape[2]] = part


def can_share(config: Any) -> bool:
    """Whether prefixes can be shared: every layer keeps all keys, and a mask may have holes.

    Flash attention takes no such mask; sliding windows and recurrent layers keep too little.
    """
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    plain = getattr(config, "_attn_implementation", "sdpa") in ("sdpa", "eager")
    return plain and kinds == {"full_attention"} and not window
