"""Another copy of the weights of a model's linear layers, in which sampling multiplies faster.

On a CPU oneDNN lays the weights out once for its kernels; torch would do that at every product, or
take slower ones. In bfloat16 they are cast once as well. The head stays float32: its rounding is
most of what would make sampler and learner differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Rows that the layout is chosen for; others work as well.
TYPICAL_ROWS = 64

Forward = Callable[[Tensor], Tensor]


class PackedWeights:
    """The copy, made when it is needed first and whenever the weights have changed since."""

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        self.model, self.dtype = model, dtype
        self._forwards: dict[nn.Linear, Forward] = {}
        self._packed_from: tuple[tuple[int, int], ...] | None = None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Compute with the copy while the block runs, without gradients."""
        weights = [layer.weight for layer in self._layers()]
        # A weight that is changed in place counts a version more.
        if (now := tuple((w.data_ptr(), w._version) for w in weights)) != self._packed_from:
            self._forwards = {}  # before the new ones are made
            self._forwards, self._packed_from = self._pack(), now
        for layer, forward in self._forwards.items():
            layer.__dict__["forward"] = forward
        try:
            yield
        finally:
            for layer in self._forwards:
                del layer.__dict__["forward"]

    def _layers(self) -> list[nn.Linear]:
        return [module for module in self.model.modules() if type(module) is nn.Linear]

    @torch.no_grad()
    def _pack(self) -> dict[nn.Linear, Forward]:
        head = self.model.get_output_embeddings()
        cpu = self.model.device.type == "cpu" and torch.backends.mkldnn.is_available()
        if not cpu and self.dtype == torch.float32:
            return {}
        pack = _packed if cpu else _cast
        dtypes = {head: torch.float32}
        return {m: pack(m, dtypes.get(m, self.dtype)) for m in self._layers()}


def _packed(layer: nn.Linear, dtype: torch.dtype) -> Forward:
    reorder, multiply = torch.ops.mkldnn._reorder_linear_weight, torch.ops.mkldnn._linear_pointwise
    weight = reorder(layer.weight.detach().to(dtype), TYPICAL_ROWS)
    bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(x: Tensor) -> Tensor:
        product: Tensor = multiply(x.to(dtype), weight, bias, "none", [], "")
        return product

    return forward


def _cast(layer: nn.Linear, dtype: torch.dtype) -> Forward:
    weight = layer.weight.detach().to(dtype)
    bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(dtype), weight, bias)

    return forward
