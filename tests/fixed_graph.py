"""A stand-in for a CUDA graph: what one could not record, or would replay wrong, fails here too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from uniapl_cli.generation.rows import Rows

# What waits for the device, or copies what Python has to it; parts of one another.
WAITS = {
    "item", "_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "allclose",
    "lift_fresh", "bincount", "unique", "_unique2",
}  # fmt: skip


class FixedGraph:
    """Computes with the memory and the numbers of when it was recorded."""

    def __init__(self) -> None:
        self.replays = 0
        self.memory: list[int] | None = None

    def forget(self) -> None:
        self.memory = None

    def __call__(self, compute: Callable[[], Tensor]) -> Tensor:
        rows: Any = compute.__self__  # type: ignore[attr-defined]
        layers = rows.cache.model_cache.layers
        read = [rows.ids, rows._mask, rows._starts, rows.cache.index]
        read += [slab for layer in layers for slab in layer.slabs]
        memory, column = [tensor.data_ptr() for tensor in read], rows.cache.column
        if self.memory is None:
            self.memory, self.column = memory, column
            with _NoWaiting():
                self.output = compute().clone()
        assert memory == self.memory
        rows.cache.column = self.column
        self.output.copy_(compute())
        rows.cache.column = column
        self.replays += 1
        return self.output


class _NoWaiting(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in WAITS, func
        if name in ("index", "index_put", "index_put_"):  # by a mask: as long as what it holds
            assert not any(i is not None and i.dtype == torch.bool for i in args[1]), func
        return func(*args, **(kwargs or {}))


def use(monkeypatch: Any) -> FixedGraph:
    """Have rows use it where CUDA would record a graph."""
    graph, init = FixedGraph(), Rows.__init__

    def recorded(rows: Rows, *args: Any, **kwargs: Any) -> None:
        init(rows, *args, **kwargs)
        rows.graph = graph if rows.takes_bias else None

    monkeypatch.setattr(Rows, "__init__", recorded)
    return graph
