"""The precision of arithmetic, one choice for sampling, training and scoring; of weights."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

Precision = Literal["auto", "float32", "bfloat16"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve(precision: Precision, device: torch.device | str) -> torch.dtype:
    """Return the dtype to compute in; "auto" is bfloat16 on CUDA, else float32."""
    if precision == "auto":
        return torch.bfloat16 if str(device).startswith("cuda") else torch.float32
    return DTYPES[precision]


def arithmetic(precision: Precision, device: torch.device | str) -> AbstractContextManager[Any]:
    """Return the context to compute in, over float32 weights: bfloat16 is autocast's.

    Sampling, training and scoring all use it, or the sampler would be another policy.
    """
    dtype = resolve(precision, device)
    if dtype is torch.float32:
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=dtype)


def in_words(precision: Precision, device: torch.device | str) -> str:
    """Return what is computed in, and where, for a log."""
    dtype = str(resolve(precision, device)).removeprefix("torch.")
    return f"{dtype} on {device} (precision={precision})"


def freeze(model: Any) -> Any:
    """Return the model without gradients."""
    return model.requires_grad_(False)


def non_finite(weights: Iterable[tuple[str, Tensor]]) -> tuple[str, str] | None:
    """Return the name of the first weights that are not all finite, and "NaN" or "infinity"."""
    for name, weight in weights:
        # One pass without a copy; a sum may overflow, so it only says where to look.
        if not torch.isfinite(weight.detach().sum()) and not torch.isfinite(weight).all():
            return name, "NaN" if torch.isnan(weight).any() else "infinity"
    return None
