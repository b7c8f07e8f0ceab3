"""Parts of tensors: what a rank holds of one that is sharded, and where in the whole it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


@dataclass(frozen=True)
class Part:
    """What is here of a tensor of this size, from `offsets` on. A plain tensor is its only part."""

    tensor: Tensor
    offsets: torch.Size
    size: torch.Size

    @property
    def place(self) -> tuple[slice, ...]:
        """Where in the whole it is."""
        spans = zip(self.offsets, self.tensor.shape, strict=True)
        return tuple(slice(offset, offset + length) for offset, length in spans)


def part_of(tensor: Tensor) -> Part:
    """Return what is here of a tensor, in the memory that it has."""
    here = tensor.detach()
    if not isinstance(here, DTensor):
        return Part(here, torch.Size([0] * here.dim()), here.shape)
    (chunk,) = here.__create_chunk_list__()
    return Part(here.to_local().detach(), chunk.offsets, here.shape)
