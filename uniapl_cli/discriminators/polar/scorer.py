"""Rows of token ids to scores, computing a prefix that rows share once.

A prompt's candidates are the same up to the candidate, most of a row. Such a prefix is computed
once, its keys and values are handed to every row of its group, and only the ends are computed row
by row. What is computed together is decided in `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.discriminators.batches import Row
from uniapl_cli.discriminators.polar.plan import GroupBatch, plan_scoring
from uniapl_cli.discriminators.polar.prefixes import Prefixes, States
from uniapl_cli.tensors import pad_ids

# From so many ids on, a prefix by itself takes no longer than in a batch with others.
LONG = 128

# (last hidden states (R, H)) -> scores (R,)
Head = Callable[[Tensor], Tensor]


class Scorer:
    """Scores rows with a decoder, for reading only.

    No computation holds more than `batch_tokens` tokens, padding included; while prefixes are
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
        pairs = list(zip(rows, prefixes, strict=True))
        index_of = {pair: index for index, pair in enumerate(dict.fromkeys(pairs))}
        distinct = [row for row, _ in index_of]
        # A row without siblings is sooner computed in a batch of such rows than in two parts.
        smallest = 1 if batch_invariant else 2
        plan = plan_scoring(
            distinct,
            [prefix for _, prefix in index_of],
            budget=1 if batch_invariant else self.batch_tokens,
            smallest_group=smallest if self.share else None,
        )
        scores: dict[int, float] = {}
        for batch in plan.whole:
            ids, lengths = self._padded([distinct[index] for index in batch])
            hidden = self.backbone(input_ids=ids, use_cache=False).last_hidden_state
            scores |= zip(batch, self._read(hidden, lengths), strict=True)
        for groups in plan.shared:
            scores |= self._behind_prefixes(groups, distinct)
        return [scores[index_of[pair]] for pair in pairs]

    def _behind_prefixes(self, planned: GroupBatch, rows: Sequence[Row]) -> dict[int, float]:
        """Score the rows of some groups by index: the prefixes first, then the ends in batches."""
        states = self._stacked([group.prefix for group in planned.groups])
        owner = {i: n for n, group in enumerate(planned.groups) for i in group.shared_lengths}
        start = {i: s for group in planned.groups for i, s in group.shared_lengths.items()}
        scores: dict[int, float] = {}
        for batch in planned.batches:
            owners = torch.tensor([owner[index] for index in batch], device=self.device)
            starts = torch.tensor([start[index] for index in batch], device=self.device)
            ends, lengths = self._padded([rows[index][start[index] :] for index in batch])
            hidden = self._continue(states, owners, starts, ends)
            scores |= zip(batch, self._read(hidden, lengths), strict=True)
        return scores

    def _stacked(self, prefixes: Sequence[Row]) -> States:
        """Return the states of prefixes as one batch (P, heads, S, width), padded on the right."""
        long = [index for index, ids in enumerate(prefixes) if len(ids) >= LONG]
        short = [index for index, ids in enumerate(prefixes) if len(ids) < LONG]
        together = self._states([prefixes[index] for index in short]) if short else []
        if not long:
            return together
        stack: States = []
        width = max(map(len, prefixes))
        for index in long:
            states = self.prefixes.get(prefixes[index], lambda ids: self._states([ids]))
            if not stack:
                stack = [s.new_zeros(len(prefixes), s.shape[1], width, s.shape[3]) for s in states]
            _put(stack, [index], states)
        if short:
            _put(stack, short, together)
        return stack

    def _states(self, prefixes: Sequence[Row]) -> States:
        """Return the states of prefixes, computed in one batch."""
        cache = self._new_cache()
        tokens, _ = self._padded(prefixes)
        self.backbone(input_ids=tokens, past_key_values=cache, use_cache=True)
        return [state for layer in cache.layers for state in (layer.keys, layer.values)]

    def _continue(self, states: States, owners: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """Return the hidden states (R, L, H) of the ends (R, L).

        Each stands behind the first `starts` (R,) ids of the prefix that `owners` (R,) names; the
        keys between, of padding or of ids that a row does not share, are masked.
        """
        cache = self._new_cache()
        for number, (keys, values) in enumerate(zip(states[::2], states[1::2], strict=True)):
            cache.update(keys[owners], values[owners], number)
        before = torch.arange(cache.get_seq_length(), device=self.device) < starts.unsqueeze(1)
        steps = torch.arange(ends.shape[1], device=self.device)
        return self.backbone(
            input_ids=ends,
            attention_mask=torch.cat([before, torch.ones_like(ends, dtype=torch.bool)], 1).long(),
            position_ids=starts.unsqueeze(1) + steps,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state

    def _new_cache(self) -> Any:
        from transformers import DynamicCache  # importing it takes most of a second

        return DynamicCache(config=self.backbone.config)

    def _padded(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Return ((R, L) ids padded on the right, (R,) lengths)."""
        ids, mask = pad_ids(rows)
        return ids.to(self.device), mask.sum(1).to(self.device)

    def _read(self, hidden: Tensor, lengths: Tensor) -> list[float]:
        """Return the scores, read at each row's last token."""
        return self.head(hidden[torch.arange(len(hidden)), lengths - 1]).tolist()


def _put(stack: States, indices: list[int], states: States) -> None:
    """Write the states of some prefixes into the stack of all."""
    for whole, part in zip(stack, states, strict=True):
        whole[indices, :, : part.shape[2]] = part


def can_share(config: Any) -> bool:
    """Whether prefixes can be shared: every layer keeps all keys, and a mask may have holes.

    Flash attention takes no such mask; sliding windows and recurrent layers keep too little.
    """
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    plain = getattr(config, "_attn_implementation", "sdpa") in ("sdpa", "eager")
    return plain and kinds == {"full_attention"} and not window
