"""The rows that are being decoded, on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.generation.attention import chooses_attention, decoding
from uniapl_cli.generation.cache import RowCache, new_cache
from uniapl_cli.generation.context import context_of
from uniapl_cli.generation.graph import Graph
from uniapl_cli.generation.prefill import prefill
from uniapl_cli.generation.samples import Sample
from uniapl_cli.generation.sampling import draw, not_numbers, uniforms
from uniapl_cli.types import Sampling

# Tokens of prompts, padding included, in one forward pass.
PREFILL_TOKENS = {"cpu": 2048, "cuda": 32768}
# Of each row: the logits of its next token, what was drawn and how likely it was, its numbers to
# draw with, how many it has drawn and may draw, whether it has come to its end.
STATE = ("logits", "tokens", "logps", "noise", "drawn", "limits", "done")


class Rows:
    """Rows that get one token more at each `draw` and `forward`; one without a sample is idle.

    All write into the cache's present column; row r has its first token in column `starts[r]`.
    """

    def __init__(
        self,
        model: Any,
        sampling: Sampling,
        stop_ids: Sequence[int],
        *,
        width: int,
        dtype: torch.dtype,
    ) -> None:
        """`width`: most new tokens of a row, with those drawn before its end is noticed."""
        self.model, self.sampling, self.width = model, sampling, width
        self.device: torch.device = model.device
        self.stop_ids = frozenset(stop_ids)
        self.stops = torch.tensor(sorted(stop_ids), device=self.device)
        # An idle row goes on until its place is taken; there may be no embedding of what follows.
        self.last_position = context_of(model) - 1
        self.prefill_tokens = self.prefill_held = PREFILL_TOKENS.get(self.device.type, 2048)
        self.samples: list[Sample | None] = []
        self.starts: list[int] = []
        self.cache, logits = self._probe(dtype)
        # Such models take a mask as attention adds it; others make their own of what is no padding.
        self.takes_bias = self.cache.plain and chooses_attention(model)
        graphs = self.takes_bias and self.device.type == "cuda"
        self.graph: Graph | None = Graph() if graphs else None
        self.logits = logits[:0]
        self.tokens = torch.zeros(0, width, dtype=torch.long, device=self.device)
        self.logps = logits.new_zeros(0, width)
        self.noise = self.logps.double()
        self.drawn, self.limits = self.tokens[:, 0], self.tokens[:, 0]
        self.done = self.drawn.bool()
        self._allocate()

    def _probe(self, dtype: torch.dtype) -> tuple[RowCache, Tensor]:
        """Return an empty cache and the logits of a row, for their shapes."""
        cache = new_cache(self.model)
        ids = torch.zeros(1, 1, dtype=torch.long, device=self.device)
        output = self.model(input_ids=ids, past_key_values=cache, use_cache=True)
        return RowCache(cache, dtype, self.device), output.logits[:, -1].float()

    @property
    def idle(self) -> list[int]:
        """The rows without a sample."""
        return [row for row, sample in enumerate(self.samples) if sample is None]

    @property
    def busy(self) -> list[int]:
        """The rows with a sample, those that began first in front."""
        rows = [row for row, sample in enumerate(self.samples) if sample is not None]
        return sorted(rows, key=lambda row: self.starts[row])

    def columns(self, rows: Sequence[int]) -> int:
        """Return how many columns the rows take."""
        column = self.cache.column
        return column - min((self.starts[row] for row in rows), default=column)

    def arrange(self, kept: Sequence[int], new: int, column: int, capacity: int) -> None:
        """Keep these rows, in this order, and have `new` idle ones behind them.

        The present column becomes `column`, and there is room for `capacity`.
        """
        index = torch.tensor(kept, dtype=torch.long, device=self.device)
        if self.graph:
            self.graph.forget()
        moved = column - self.cache.column
        self.cache.arrange(index, new, self.columns(kept), column, capacity)
        self.samples = [self.samples[row] for row in kept] + [None] * new
        self.starts = [self.starts[row] + moved for row in kept] + [column] * new
        for name in STATE:
            state: Tensor = getattr(self, name)
            fresh = state.new_zeros(new, *state.shape[1:])
            setattr(self, name, torch.cat([state[index], fresh]))
        self._allocate()
        self._see()

    def drop_idle(self) -> None:
        """Leave out idle rows: the last of the busy ones take their places."""
        busy = self.busy
        moved = [row for row in busy if row >= len(busy)]
        places = [row for row in self.idle if row < len(busy)]
        source = torch.tensor(moved, dtype=torch.long, device=self.device)
        target = torch.tensor(places, dtype=torch.long, device=self.device)
        self.cache.shrink(len(busy), source, target)
        for name in (*STATE, "ids", "_mask", "_starts"):
            state: Tensor = getattr(self, name)
            state[target] = state[source]
            setattr(self, name, state[: len(busy)])
        for row, place in zip(moved, places, strict=True):
            self.samples[place], self.starts[place] = self.samples[row], self.starts[row]
        self.samples, self.starts = self.samples[: len(busy)], self.starts[: len(busy)]

    def admit(self, rows: Sequence[int], samples: Sequence[Sample]) -> None:
        """Put samples, whose prompts fit before the present column, into idle rows."""
        index = torch.tensor(rows, device=self.device)
        self.noise[index] = uniforms([s.seed for s in samples], self.width).to(self.device)
        self.limits[index] = torch.tensor([s.limit for s in samples], device=self.device)
        self.drawn[index] = torch.tensor([len(s.tokens) for s in samples], device=self.device)
        self.done[index] = False
        for row, sample in zip(rows, samples, strict=True):
            self.samples[row] = sample
            self.starts[row] = self.cache.column - sample.length
            if had := len(sample.tokens):
                self.tokens[row, :had] = torch.tensor(sample.tokens, device=self.device)
                self.logps[row, :had] = torch.tensor(sample.logps, device=self.device)
        sharing: dict[tuple[int, ...], list[int]] = {}
        for row, sample in zip(rows, samples, strict=True):
            sharing.setdefault(sample.prompt_ids + tuple(sample.tokens), []).append(row)
        budget = {"tokens": self.prefill_tokens, "held": self.prefill_held}
        for written, logits in prefill(self.model, self.cache, sharing, **budget):
            self.logits[written] = logits
        self._see()

    def finished(self) -> list[Sample]:
        """Return the samples that have come to their end; their rows become idle."""
        done = self.done.tolist()
        return self.release(
            [row for row, s in enumerate(self.samples) if s is not None and done[row]]
        )

    def release(self, rows: Sequence[int]) -> list[Sample]:
        """Return the samples of busy rows with what has been drawn; the rows become idle."""
        if not rows:
            return []
        index = torch.tensor(rows, device=self.device)
        states = (self.drawn, self.tokens, self.logps)
        drawn, tokens, logps = (state[index].tolist() for state in states)
        released = []
        for number, row in enumerate(rows):
            sample, self.samples[row] = self.samples[row], None
            assert sample is not None, "a busy row"
            # Behind the first stop token are those drawn before it was noticed.
            ids = tokens[number][: min(drawn[number], sample.limit)]
            end = next((place for place, id in enumerate(ids, 1) if id in self.stop_ids), None)
            sample.stopped = end is not None
            sample.tokens = ids[:end]
            sample.logps = logps[number][: len(sample.tokens)]
            if any(map(math.isnan, sample.logps)):
                raise not_numbers("there is no token to sample")
            released.append(sample)
        return released

    def draw(self) -> None:
        """Draw the next token of every row."""
        number = self.drawn.unsqueeze(1).clamp(max=self.width - 1)
        uniform = self.noise.gather(1, number).squeeze(1)
        ids, logps = draw(self.logits, uniform, self.sampling)
        self.ids.copy_(ids.unsqueeze(1))
        self.tokens.scatter_(1, number, self.ids)
        self.logps.scatter_(1, number, logps.unsqueeze(1))
        self.drawn += 1
        ended = torch.isin(ids, self.stops) | (self.drawn >= self.limits)
        self.done |= ended | logps.isnan()

    def forward(self) -> None:
        """Run the tokens that were drawn, for the logits of the next ones."""
        self.cache.index.fill_(self.cache.column)
        self.logits = self.graph(self._compute) if self.graph else self._compute()
        self.cache.column += 1

    def _compute(self) -> Tensor:
        index = self.cache.index
        self._mask.index_fill_(-1, index, self._shown)
        with decoding(self.model):
            output = self.model(
                input_ids=self.ids,
                attention_mask=self._mask,
                position_ids=(index - self._starts).clamp(max=self.last_position).unsqueeze(1),
                past_key_values=self.cache.model_cache,
                use_cache=True,
            )
        return output.logits[:, -1].float()

    def under_way(self) -> list[tuple[int, int]]:
        """Return of each busy row how many tokens it has drawn, and how many it may draw."""
        pairs = zip(self.drawn.tolist(), self.samples, strict=True)
        return [(min(drawn, s.limit), s.limit) for drawn, s in pairs if s is not None]

    def _allocate(self) -> None:
        """Make what a pass reads: from now on it stays where it is, for a CUDA graph."""
        rows, capacity = len(self.samples), self.cache.capacity
        self.ids = self.tokens.new_zeros(rows, 1)
        self._starts = self.tokens.new_zeros(rows)
        if self.takes_bias:
            self._mask = self.logps.new_zeros(rows, 1, 1, capacity)
            self._hidden, self._shown = -torch.inf, 0.0
        else:
            self._mask = self.tokens.new_zeros(rows, capacity)
            self._hidden, self._shown = 0.0, 1.0

    def _see(self) -> None:
        """Work out which of the written columns each row sees: from its first token on."""
        self._starts.copy_(torch.tensor(self.starts, dtype=torch.long))
        columns = torch.arange(self.cache.capacity, device=self.device)
        seen = (columns >= self._starts.unsqueeze(1)) & (columns < self.cache.column)
        self._mask.fill_(self._hidden).view(seen.shape).masked_fill_(seen, self._shown)
