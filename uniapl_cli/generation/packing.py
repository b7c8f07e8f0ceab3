"""Another copy of the weights of a model's linear layers, in which sampling multiplies faster.

On a CPU oneDNN lays the weights out once for its kernels; torch would do that at every product, or
take slower ones. In bfloat16 they are cast once as well. The head keeps its own dtype, as it does
for the learner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uniapl_cli.memory import free_bytes
from uniapl_cli.products import product

# Share of the free memory that the copy may take.
MEMORY_SHARE = 0.5
# Rows that the layout is chosen for; others work as well.
TYPICAL_ROWS = 64

Forward = Callable[[Tensor], Tensor]


class PackedWeights:
    """The copy; it does not follow weights that change.

    Without the memory for it, layers multiply as they are.
    """

    @torch.no_grad()
    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        self._forwards: dict[nn.Linear, Forward] = {}
        head, device = model.get_output_embeddings(), model.device.type
        layers = _layers(model)
        size = sum(layer.weight.numel() for layer in layers) * dtype.itemsize
        copied = size <= MEMORY_SHARE * free_bytes(model.device)
        for layer in layers:
            own = layer.weight.dtype
            kept = own if layer is head or own != torch.float32 else dtype
            if copied and _can_pack(device, kept):
                self._forwards[layer] = _packed(layer, kept)
            elif layer is head:  # autocast would take it down
                self._forwards[layer] = _kept(layer)
            elif copied and kept != own:
                self._forwards[layer] = _cast(layer, kept)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Compute with the copy while the block runs, without gradients."""
        try:
            for layer, forward in self._forwards.items():
                layer.__dict__["forward"] = forward
            yield
        finally:
            for layer in self._forwards:
                layer.__dict__.pop("forward", None)


def packed_bytes(model: Any, dtype: torch.dtype, device: str, free: int) -> int:
    """Return the bytes of the copy that there would be on a kind of device with so much free."""
    head, size = model.get_output_embeddings(), 0
    layers = _layers(model)
    if sum(layer.weight.numel() for layer in layers) * dtype.itemsize > MEMORY_SHARE * free:
        return 0
    for layer in layers:
        own = layer.weight.dtype
        kept = own if layer is head or own != torch.float32 else dtype
        if _can_pack(device, kept) or (kept != own and layer is not head):
            size += layer.weight.numel() * kept.itemsize
    return size


def _layers(model: Any) -> list[nn.Linear]:
    plain = [module for module in model.modules() if type(module) is nn.Linear]
    return [layer for layer in plain if "forward" not in vars(layer)]


def _can_pack(device: str, dtype: torch.dtype) -> bool:
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    known = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return dtype == torch.float32 or known


def _packed(layer: nn.Linear, dtype: torch.dtype) -> Forward:
    reorder, multiply = torch.ops.mkldnn._reorder_linear_weight, torch.ops.mkldnn._linear_pointwise
    weight = reorder(layer.weight.detach().to(dtype), TYPICAL_ROWS)
    bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(x: Tensor) -> Tensor:
        product: Tensor = multiply(x.to(dtype), weight, bias, "none", [], "")
        return product

    return forward


def _kept(layer: nn.Linear) -> Forward:
    return lambda x: product(x, layer.weight, layer.bias)


def _cast(layer: nn.Linear, dtype: torch.dtype) -> Forward:
    weight = layer.weight.detach().to(dtype)
    bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(dtype), weight, bias)

    return forward
