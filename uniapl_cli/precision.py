"""The precision of weights and arithmetic: float32 on CPU, bfloat16 on CUDA."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def arithmetic(device: torch.device | str) -> AbstractContextManager[Any]:
    """Return a context of bfloat16 arithmetic on CUDA, float32 on CPU, whatever the weights are.

    Sampling and training both use it, or the sampler would be another policy.
    """
    if torch.device(device).type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def weights(dtype: Dtype, device: torch.device | str, *, trained: bool) -> torch.dtype:
    """Return the dtype that weights are kept in.

    "auto" is bfloat16 on CUDA for weights that are only read; else float32, as on CPU and for
    weights that are trained, whose updates vanish in bfloat16's rounding.
    """
    if dtype == "auto":
        frugal = torch.device(device).type == "cuda" and not trained
        return torch.bfloat16 if frugal else torch.float32
    return DTYPES[dtype]


def non_finite(weights: Iterable[tuple[str, Tensor]]) -> tuple[str, str] | None:
    """Return the name of the first weights that are not all finite, and "NaN" or "infinity"."""
    for name, weight in weights:
        # One pass without a copy; a sum may overflow, so it only says where to look.
        if not torch.isfinite(weight.detach().sum()) and not torch.isfinite(weight).all():
            return name, "NaN" if torch.isnan(weight).any() else "infinity"
    return None
