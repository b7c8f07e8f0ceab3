"""Products with weights: a head's keep float32 where all else is computed in bfloat16.

In bfloat16, logits of 16 to 32 are multiples of 1/8: sampler and learner, whose hidden states
differ by some rounding, would differ more by that, and sums of gradients lose small summands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

# oneDNN keeps what it compiled for the shapes of its last products: 1,024 by default, which takes
# 0.5 GB after some thousand responses. It reads this at its first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

# Elements of a product that is added to another, at a time: 64 MiB in float32.
PART = 2**24


def product(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the products (..., V) of hidden states (..., H) with a head, in its weights' dtype."""
    flat = hidden.reshape(-1, hidden.shape[-1]).to(weight.dtype)
    result: Tensor = _Product.apply(flat, weight, uses_tf32(weight.device))
    result = result if bias is None else result + bias
    return result.reshape(*hidden.shape[:-1], len(weight))


def uses_tf32(device: torch.device) -> bool:
    """Whether float32 products may be computed in TF32 now: on CUDA, within autocast.

    They keep three bits more than bfloat16 of what they multiply, and all of the sums, and are not
    much slower; in plain float32 a head would take longer than all layers below it.
    """
    return device.type == "cuda" and torch.is_autocast_enabled("cuda")


def quick_products(device: torch.device) -> AbstractContextManager[Any]:
    """Have a CPU's linear layers multiply by oneDNN in float32, forward and back.

    Not within autocast, whose products are oneDNN's anyway.
    """
    if device.type == "cpu" and torch.backends.mkldnn.is_available():
        return _Linear()
    return nullcontext()


class _Linear(TorchFunctionMode):
    """Computes `linear` as `product` does."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is linear and not kwargs and _onednn(args[1]):
            return product(*args)
        return func(*args, **(kwargs or {}))


@contextmanager
def own_dtype(device: torch.device, tf32: bool) -> Iterator[None]:
    """Compute in the dtype that tensors have, without autocast."""
    before = torch.get_float32_matmul_precision()
    if tf32:
        torch.set_float32_matmul_precision("high")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if tf32:
            torch.set_float32_matmul_precision(before)


class _Product(torch.autograd.Function):
    """(N, H), (V, H) -> (N, V); the backward pass computes as the forward pass did."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, tf32: bool) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        ctx.tf32 = tf32
        return multiply(hidden, weight, tf32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        hidden, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        of_hidden = multiply(slope, weight.t(), ctx.tf32) if wanted[0] else None
        of_weight = multiply(slope.t(), hidden.t(), ctx.tf32) if wanted[1] else None
        return of_hidden, of_weight, None


def multiply(a: Tensor, b: Tensor, tf32: bool) -> Tensor:
    """Return a (N, K) times b (M, K) transposed."""
    if _onednn(a) and a.numel() and b.numel():
        # Where MKL, which `@` asks, does not know the processor, oneDNN is twice as fast.
        result: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return result
    with own_dtype(a.device, tf32):
        return a @ b.t()


def add_product(total: Tensor, a: Tensor, b: Tensor, tf32: bool) -> None:
    """Add a (N, K) times b (M, K) transposed to `total` (N, M), without another (N, M)."""
    if _onednn(a):
        rows = max(1, PART // max(1, total.shape[1]))
        for part, own in zip(total.split(rows), a.split(rows), strict=True):
            part.add_(multiply(own, b, tf32))
        return
    with own_dtype(a.device, tf32):
        total.addmm_(a, b.t())


def _onednn(a: Tensor) -> bool:
    """Whether oneDNN multiplies by such a tensor here."""
    plain = type(a) in (Tensor, nn.Parameter) and a.dtype == torch.float32
    return plain and a.device.type == "cpu" and torch.backends.mkldnn.is_available()
