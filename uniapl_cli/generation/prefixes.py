"""The beginning that rows share: read once, and handed to each of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.attention import takes_masks
from uniapl_cli.generation.branching import branches
from uniapl_cli.generation.cache import is_plain, new_cache
from uniapl_cli.generation.passes import Row

if TYPE_CHECKING:
    from transformers import DynamicCache

# What a model may raise that does not know a cache, or a mask, of this kind.
UNKNOWN = (AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
# Difference of hidden states, as a share of the largest, that rounding explains: in float32 or not.
ROUNDING = {True: 1e-3, False: 3e-2}
# Ids that reading in parts is tried with, and how many of them are shared.
TRIED, SHARED = 24, 14


def repeated(cache: DynamicCache, rows: int) -> DynamicCache:
    """Return a cache of `rows` rows that are all as the only one of `cache`, which stays."""
    copied = copy.copy(cache)
    copied.layers = [_copied(layer) for layer in cache.layers]
    copied.reorder_cache(torch.zeros(rows, dtype=torch.long))
    return copied


def _copied(layer: Any) -> Any:
    """Return a layer that can be changed without the other: it replaces its tensors."""
    new = copy.copy(layer)
    vars(new).update({n: dict(v) for n, v in vars(layer).items() if isinstance(v, dict)})
    return new


def size_of(cache: DynamicCache) -> int:
    """Return the bytes of what a cache keeps."""
    kept = [value for layer in cache.layers for value in vars(layer).values()]
    kept += [state for value in kept if isinstance(value, dict) for state in value.values()]
    return sum(value.nbytes for value in kept if isinstance(value, Tensor))


def can_share(model: Any, backbone: Any) -> bool:
    """Whether what stands behind a shared prefix is read as in a whole row. Tried once."""

    def behind(ids: Tensor) -> Tensor:
        """Return hidden states behind a prefix that is handed on twice."""
        cache = new_cache(model)
        backbone(input_ids=ids[:, :SHARED], past_key_values=cache, use_cache=True)
        rest = torch.cat([ids.flip(1), ids])[:, -(TRIED - SHARED) :]
        found = backbone(input_ids=rest, past_key_values=repeated(cache, 2), use_cache=True)
        # A second time, as what a model writes must not change what others are handed.
        again = backbone(input_ids=rest, past_key_values=repeated(cache, 2), use_cache=True)
        hidden: Tensor = torch.stack([found[0][1], again[0][1]])
        return hidden

    return _agrees(backbone, behind)


def can_branch(model: Any, backbone: Any) -> bool:
    """Whether options can stand behind one another, hidden by a mask. Tried once.

    A mask that is given whole takes the place of a sliding window's.
    """
    if not takes_masks(model):
        return False

    def forked(ids: Tensor) -> Tensor:
        """Return hidden states of a second option, which stands behind the first one."""
        cache = new_cache(model)
        backbone(input_ids=ids, past_key_values=cache, use_cache=True)
        if not is_plain(cache):
            raise ModelError("the layers are of several kinds")
        context, option = ids[0, :SHARED], [*ids[0, SHARED:].tolist(), 0]
        row = Row(0, context.cpu().numpy().astype(np.int32), ((0, [1, 2, 3]), (1, option)))
        read = branches([row], 0, ids.device)
        assert read.mask is not None
        found = backbone(
            input_ids=read.ids,
            position_ids=read.positions,
            attention_mask=read.mask,
            use_cache=False,
        )
        hidden: Tensor = found[0][:, -(TRIED - SHARED) :]
        return hidden

    return _agrees(backbone, forked)


@torch.inference_mode()
def _agrees(backbone: Any, read: Callable[[Tensor], Tensor]) -> bool:
    """Whether `read` returns the hidden states of a plain pass, of the ids behind those shared."""
    ids = torch.arange(1, TRIED + 1, device=backbone.device).unsqueeze(0)
    whole = backbone(input_ids=ids, use_cache=False)[0][:, SHARED:]
    exact = whole.dtype is torch.float32 and not torch.is_autocast_enabled(ids.device.type)
    rounding, whole = ROUNDING[exact], whole.float()
    try:
        gap = (read(ids).float() - whole).abs().max()
    except (ModelError, *UNKNOWN):
        return False
    return bool(gap <= rounding * whole.abs().max())
