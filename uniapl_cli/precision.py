"""Which numbers the models compute with: float32 on CPU, bfloat16 on CUDA."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def arithmetic(device: torch.device | str) -> AbstractContextManager[Any]:
    """bfloat16 arithmetic on CUDA, whatever the weights are kept in; float32 on CPU.

    Sampling and training both compute in this, or the sampler would be another policy.
    """
    if torch.device(device).type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def weights(dtype: Dtype, device: torch.device | str, *, trained: bool) -> torch.dtype:
    """Return what weights are kept in.

    "auto" is float32 on CPU and for what is trained, since updates vanish in bfloat16's rounding;
    bfloat16 on CUDA for what is only read.
    """
    if dtype == "auto":
        frugal = torch.device(device).type == "cuda" and not trained
        return torch.bfloat16 if frugal else torch.float32
    return DTYPES[dtype]
