"""Copies of tensors in the host's memory, so that they can be written while the next step runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor


def staged(value: Any, before: Any = None) -> Any:
    """Return a copy of nested tensors in the host's memory, pinned where they come from CUDA.

    What `before`, an earlier copy, holds is written over where it fits. Copies from CUDA are still
    under way: synchronize before they are read.
    """
    if isinstance(value, Tensor):
        fits = isinstance(before, Tensor) and _kind(before) == _kind(value)
        room = before if fits else _room(value)
        return room.copy_(value.detach(), non_blocking=value.is_cuda)
    if isinstance(value, Mapping):
        named = before if isinstance(before, Mapping) else {}
        return {name: staged(part, named.get(name)) for name, part in value.items()}
    if type(value) in (list, tuple):
        parts = before if type(before) is type(value) else ()
        return type(value)(
            staged(part, old) for part, old in zip_longest(value, parts[: len(value)])
        )
    return copy.deepcopy(value)


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield all tensors of nested mappings, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from tensors(part)


def _kind(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


def _room(value: Tensor) -> Tensor:
    return torch.empty(value.shape, dtype=value.dtype, pin_memory=value.is_cuda)
