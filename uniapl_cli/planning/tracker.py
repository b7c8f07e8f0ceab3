"""Counts the bytes of the tensors that live, by part, and where that is most."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ACTIVATIONS, LOGITS = "activations", "logits"
WEIGHTS, CAST = "weights", "weights in 16 bits"

Bytes = Mapping[str, int]


class Tracker(TorchDispatchMode):
    """Every storage that an operation makes counts until it is freed: fake tensors' too.

    A storage belongs to the part whose block it was made in, else to the activations, or to the
    logits where its tensor is as wide as the vocabulary.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.live: Counter[str] = Counter()
        self.peak: Bytes = {}
        self._part: str | None = None
        self._held: dict[int, tuple[str, int]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is made in the block is of this part."""
        before, self._part = self._part, name
        try:
            yield
        finally:
            self._part = before

    @contextmanager
    def held(self, name: str, size: int) -> Iterator[None]:
        """Count `size` bytes more of a part while the block runs."""
        self.hold(name, size)
        try:
            yield
        finally:
            self.live[name] -= size

    def hold(self, part: str, size: int) -> None:
        """Count `size` bytes more of a part from now on."""
        self.live[part] += size
        if self.live.total() > sum(self.peak.values()):
            self.peak = dict(self.live)

    @contextmanager
    def phase(self) -> Iterator[None]:
        """Forget the peak; that of the block is in `peak` afterwards."""
        self.peak = dict(self.live)
        yield

    def move(self, tensors: Iterable[Tensor], name: str) -> None:
        """Count tensors to another part from now on."""
        for tensor in tensors:
            key = tensor.untyped_storage()._cdata
            if key in self._held:
                part, size = self._held[key]
                self._held[key] = (name, size)
                self.live[part] -= size
                self.live[name] += size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten._to_copy.default and self._is_weight(args[0]):
            with self.part(CAST):
                return self._run(func, args, kwargs)
        return self._run(func, args, kwargs)

    def _is_weight(self, tensor: Tensor) -> bool:
        """Whether autocast casts a weight, of which it keeps the copy."""
        key = tensor.untyped_storage()._cdata
        return self._part is None and self._held.get(key, ("",))[0] == WEIGHTS

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        output = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            # What oneDNN packs has a layout and no storage of its own.
            if isinstance(leaf, Tensor) and leaf.layout is torch.strided:
                self._take(leaf)
        return output

    def _take(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if (key := storage._cdata) in self._held:
            return
        wide = tensor.dim() > 1 and tensor.shape[-1] == self.vocabulary
        part = self._part or (LOGITS if wide else ACTIVATIONS)
        size = storage.nbytes()
        self._held[key] = (part, size)
        weakref.finalize(storage, self._free, key)
        self.hold(part, size)

    def _free(self, key: int) -> None:
        part, size = self._held.pop(key)
        self.live[part] -= size


def elements(model: torch.nn.Module) -> int:
    """Return how many numbers the weights of a model are; shared ones count once."""
    return sum(weight.numel() for weight in model.parameters())
