"""A model's weights as they are written: whole, and by the names they have in files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.ranks import Ranks


def gathered(state: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """Return weights whole, by the same names, on the first rank; {} on others, which take part.

    Where ranks hold parts, they come one at a time, into the host's memory. What is one parameter
    under several names stays one.
    """
    wholes: dict[int, Tensor] = {}
    for tensor in state.values():
        if id(tensor) not in wholes:
            whole = ranks.full(tensor.detach())
            kept = whole.cpu() if ranks.sharded else whole
            wholes[id(tensor)] = kept if ranks.first else kept.new_empty(0)
    return {name: wholes[id(tensor)] for name, tensor in state.items()} if ranks.first else {}


def cast(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the weights as `dtype`; those that share memory do so afterwards."""
    copies: dict[tuple[int, torch.Size], Tensor] = {}
    for tensor in state.values():
        if tensor.is_floating_point():
            copies.setdefault((tensor.data_ptr(), tensor.shape), tensor.to(dtype))
    return {n: copies.get((t.data_ptr(), t.shape), t) for n, t in state.items()}


def with_head_apart(model: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of which the vocabulary head shares no memory with the embedding."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    apart = dict(state)
    if head.weight is embedding.weight:
        names = [name for name, module in model.named_modules() if module is head]
        apart[f"{names[0]}.weight"] = apart[f"{names[0]}.weight"].clone()
    return apart
