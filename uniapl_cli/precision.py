"""The precision of arithmetic, one choice for sampling, training and scoring; of weights."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

from uniapl_cli.products import quick_products

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


def forward_pass(precision: Precision, device: torch.device | str) -> AbstractContextManager[Any]:
    """Return the context to read whole rows in: `arithmetic`, by the quickest products."""
    if resolve(precision, device) is torch.float32:
        return quick_products(torch.device(device))
    return arithmetic(precision, device)


def in_words(precision: Precision, device: torch.device | str) -> str:
    """Return what is computed in, and where, for a log."""
    dtype = str(resolve(precision, device)).removeprefix("torch.")
    return f"{dtype} on {device} (precision={precision})"


def freeze(model: Any, dtype: torch.dtype, *, exactly: bool = False) -> Any:
    """Return the model, no longer to be trained, fit to compute in `dtype`.

    For bfloat16 its linear layers keep their weights in it, which autocast would otherwise cast at
    each forward pass: the same bits, in half the memory. Not so those of its head, which computes
    in its own dtype, and, with `exactly`, those that would be rounded.
    """
    model.requires_grad_(False)
    if dtype is torch.float32:
        return model
    inside = getattr(model, model.base_model_prefix, model)
    layers = {layer for layer in inside.modules() if type(layer) is nn.Linear}
    # Weights may be shared with what is no such layer.
    others = {id(p) for m in model.modules() if m not in layers for p in m._parameters.values()}
    for layer in layers:
        for weight in layer.parameters():
            small = weight.to(dtype)
            if id(weight) not in others and not (exactly and (small != weight).any()):
                weight.data = small
    return model


def non_finite(weights: Iterable[tuple[str, Tensor]]) -> tuple[str, str] | None:
    """Return the name of the first weights that are not all finite, and "NaN" or "infinity"."""
    for name, weight in weights:
        # One pass without a copy; a sum may overflow, so it only says where to look.
        if not torch.isfinite(weight.detach().sum()) and not torch.isfinite(weight).all():
            return name, "NaN" if torch.isnan(weight).any() else "infinity"
    return None
