"""Keys and values of the rows that are being decoded: one slab a layer, whose columns are time.

Every row writes its new token into the same column, so a token copies nothing of what is there. A
row that joins has its prompt written into the columns before it. Layers that keep a state a row
(convolutions, linear attention) have it beside, in the same order of rows.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Hashable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from uniapl_cli.errors import ModelError

if TYPE_CHECKING:
    from transformers import DynamicCache

# What layers of linear attention or convolution keep a row: {number: (R, ...)}.
STATES = ("conv_states", "recurrent_states")
# The layers of transformers that are keys and values, states, both, or nothing.
KINDS = (
    "DynamicLayer",
    "DynamicSlidingWindowLayer",
    "LinearAttentionLayer",
    "LinearAttentionAndFullAttentionLayer",
    "LinearAttentionAndSlidingWindowAttentionLayer",
    "DummyLayer",
)


def new_cache(model: Any) -> DynamicCache:
    """Return an empty cache as the model takes it. Raises ModelError for a kind not known here."""
    from transformers import DynamicCache  # importing it takes most of a second

    cache = DynamicCache(config=model.config)
    for layer in cache.layers:
        if (kind := type(layer).__name__) not in KINDS:
            problem = f"{type(model).__name__} keeps a {kind} of its past, which cannot be sampled"
            raise ModelError(problem, got=kind, allowed=KINDS)
    return cache


def is_plain(cache: DynamicCache) -> bool:
    """Whether all layers of a cache that was used are keys and values, without a sliding window."""
    return all(type(layer).__name__ == "DynamicLayer" for layer in cache.layers)


class RowCache:
    """A cache of `rows` rows and `capacity` columns, of which those before `column` are written.

    `model_cache` is what the model takes: with it, a pass of one token a row writes `column`.
    It sees all columns; a mask is to hide those that are not a row's own.
    """

    def __init__(self, like: DynamicCache, dtype: torch.dtype, device: torch.device) -> None:
        """`like`: the cache of a forward pass; its rows are not taken over."""
        self.rows = self.column = self.capacity = 0
        # The present column, where a CUDA graph reads it.
        self.index = torch.zeros(1, dtype=torch.long, device=device)
        self.plain = is_plain(like)
        self.model_cache: Any = copy.copy(like)
        # Not in a circle, or slabs would outlive their use until Python looks for circles.
        clock = weakref.proxy(self)
        self.model_cache.layers = [_live(layer, clock, dtype) for layer in like.layers]

    @property
    def bytes_a_token(self) -> int:
        """What a column of a row takes, in bytes."""
        layers = [layer for layer in self.model_cache.layers if isinstance(layer, _Slab)]
        slabs = [slab for layer in layers for slab in layer.slabs]
        return sum(s.shape[1] * s.shape[3] * s.element_size() for s in slabs)

    def arrange(self, kept: Tensor, new: int, width: int, column: int, capacity: int) -> None:
        """Make slabs of the rows `kept`, in that order, and `new` empty ones behind them.

        What is in the `width` columns before the present one is then before `column`.
        """
        for layer in self.model_cache.layers:
            if isinstance(layer, _Slab):
                old = slice(self.column - width, self.column)
                layer.arrange(kept, new, old, column, capacity)
            for states in _states(layer):
                for number, state in states.items():
                    empty = state.new_zeros(new, *state.shape[1:])
                    states[number] = torch.cat([state[kept], empty])
        self.rows, self.capacity, self.column = len(kept) + new, capacity, column

    def shrink(self, rows: int, moved: Tensor, places: Tensor) -> None:
        """Keep the first `rows` rows, after those that are `moved` are copied to other places."""
        for layer in self.model_cache.layers:
            if isinstance(layer, _Slab):
                layer.slabs = tuple(_shrunk(slab, rows, moved, places) for slab in layer.slabs)
            for states in _states(layer):
                for number, state in states.items():
                    states[number] = _shrunk(state, rows, moved, places)
        self.rows = rows

    def write(self, rows: Tensor, prefilled: DynamicCache, owners: Tensor, shared: int = 0) -> None:
        """Write row `owners[i]` of a forward pass over prompts, padded left, to row `rows[i]`.

        The first `shared` columns are left to `write_prefix`.
        """
        for layer, other in zip(self.model_cache.layers, prefilled.layers, strict=True):
            if isinstance(layer, _Slab):
                layer.write(rows, other, owners, self.column, shared)
            for states, theirs in zip(_states(layer), _states(other), strict=True):
                for number, state in states.items():
                    state[rows] = theirs[number][owners]

    def write_prefix(self, rows: Tensor, prefix: DynamicCache, behind: int) -> None:
        """Write the one row of a plain cache to `rows`, in front of their last `behind` columns."""
        for layer, other in zip(self.model_cache.layers, prefix.layers, strict=True):
            layer.write(rows, other, torch.zeros_like(rows), self.column - behind)


class _Slab:
    """A layer's keys and values, each (rows, heads, capacity, D)."""

    slabs: tuple[Tensor, ...]
    clock: RowCache

    def arrange(self, kept: Tensor, new: int, old: slice, column: int, capacity: int) -> None:
        """See RowCache.arrange."""
        width = old.stop - old.start
        arranged = []
        for slab, by_column in zip(self.slabs, (True, False), strict=True):
            by_column = by_column and _reads_by_column(slab)
            fresh = _empty(slab, len(kept) + new, capacity, by_column)
            fresh[: len(kept), :, column - width : column] = slab[kept, :, old]
            # What is not written yet is hidden by a weight of 0, and NaN times 0 is NaN.
            fresh[: len(kept), :, : column - width] = 0
            fresh[: len(kept), :, column:] = 0
            fresh[len(kept) :] = 0
            arranged.append(fresh)
        self.slabs = tuple(arranged)

    def write(self, rows: Tensor, other: Any, owners: Tensor, column: int, shared: int = 0) -> None:
        """See RowCache.write."""
        for slab, whole in zip(self.slabs, (other.keys, other.values), strict=True):
            states = whole[:, :, shared:]
            # A sliding window has kept its last columns only; it never looks farther back.
            slab[rows, :, column - states.shape[2] : column] = states[owners].to(slab.dtype)

    def update(self, key: Tensor, value: Tensor, *_: Any, **__: Any) -> tuple[Tensor, ...]:
        """Take a token a row, (R, heads, 1, D), and return the slabs.

        Not the written part of them: where a CPU multiplies in bfloat16 it would be copied.
        """
        for slab, new in zip(self.slabs, (key, value), strict=True):
            slab.index_copy_(2, self.clock.index, new.to(slab.dtype))
        return self.slabs

    def get_seq_length(self) -> int:
        """Return the number of the present column."""
        return self.clock.column

    def get_mask_sizes(self, _query_length: int) -> tuple[int, int]:
        """Return how many columns there are, and how many are left out before them."""
        return self.clock.capacity, 0


def _live(layer: Any, clock: RowCache, dtype: torch.dtype) -> Any:
    """Return the layer without its rows, as part of `clock`."""
    live: Any = copy.copy(layer)
    if getattr(layer, "keys", None) is not None:
        kind: Any = type(layer)
        live = object.__new__(_slab_class(kind))
        vars(live).update(vars(layer))
        live.clock = clock
        live.slabs = tuple(states[:0].to(dtype) for states in (layer.keys, layer.values))
        live.keys = live.values = None
    for name in STATES:
        if hasattr(layer, name):
            states = getattr(layer, name)
            setattr(live, name, {n: s[:0].clone() for n, s in states.items() if s is not None})
    return live


@cache
def _slab_class(kind: Hashable) -> type:
    # Without `_layer_type` transformers does not take it for a new kind of layer to make.
    assert isinstance(kind, type)
    return type(f"Slab{kind.__name__}", (_Slab, kind), {"_layer_type": None})


def _states(layer: Any) -> list[dict[int, Tensor]]:
    return [getattr(layer, name) for name in STATES if hasattr(layer, name)]


def _reads_by_column(keys: Tensor) -> bool:
    """Whether products read keys faster with the columns last in memory."""
    return keys.device.type == "cpu" and keys.dtype == torch.float32


def _empty(slab: Tensor, rows: int, capacity: int, by_column: bool) -> Tensor:
    """Return (rows, heads, capacity, D), `by_column` with the columns last in memory."""
    _rows, heads, _columns, size = slab.shape
    if by_column:
        return slab.new_empty(rows, heads, size, capacity).transpose(2, 3)
    return slab.new_empty(rows, heads, capacity, size)


def _shrunk(state: Tensor, rows: int, moved: Tensor, places: Tensor) -> Tensor:
    state[places] = state[moved]
    return state[:rows]
