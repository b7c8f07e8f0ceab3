"""Attention of one new token a row to its keys and values, by two batched products.

Query heads that share keys are rows of one product, so that nothing is repeated or copied: on a CPU
ten times as fast as the fused kernel with a mask. The softmax is in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

NAME = "uniapl_decoding"


def chooses_attention(model: Any) -> bool:
    """Whether the model takes its attention from transformers' registry, by name."""
    return bool(getattr(model, "_supports_attention_backend", False))


def takes_masks(model: Any) -> bool:
    """Whether any mask will do, such as one that hides what stands in the middle of a row."""
    attention = model.config.get_text_config()._attn_implementation
    return attention in ("sdpa", "eager") and chooses_attention(model)


@contextmanager
def decoding(model: Any) -> Iterator[None]:
    """Have the model use `attend` while the block runs, if it lets one choose."""
    if not chooses_attention(model):
        yield
        return
    _register()
    config = model.config.get_text_config()  # a tower for images has an attention of its own
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


@cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, eager_mask)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return (R, 1, heads, D_v), as transformers' attention functions do.

    query: (R, heads, 1, D), key: (R, key heads, W, D), value: (R, key heads, W, D_v).
    attention_mask: (R or 1, 1, 1, W), added to the scores. s_aux: (heads,), of each head a score
    beside those of the keys, whose value is 0.
    """
    rows, heads, _one, size = query.shape
    query = query * (size**-0.5 if scaling is None else scaling)
    query = query.to(key.dtype).reshape(rows, key.shape[1], -1, size)
    scores = _product(query, key.transpose(2, 3)).float()
    if softcap is not None:
        scores = (scores / softcap).tanh_() * softcap
    if attention_mask is not None:
        scores += attention_mask
    weights = _softmax(scores, s_aux).to(value.dtype)
    return _product(weights, value).reshape(rows, 1, heads, -1), None


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return the products (R, H, M, N) of (R, H, M, K) and (R, H, K, N), without copies."""
    product = torch.bmm(left.flatten(0, 1), right.flatten(0, 1))
    return product.unflatten(0, left.shape[:2])


def _softmax(scores: Tensor, s_aux: Tensor | None) -> Tensor:
    """Return the softmax of scores (R, key heads, heads a key head, W)."""
    if s_aux is None:
        return scores.softmax(-1)
    extra = s_aux.float().view(1, *scores.shape[1:3], 1).expand(len(scores), -1, -1, -1)
    return torch.cat([scores, extra], -1).softmax(-1)[..., :-1]
