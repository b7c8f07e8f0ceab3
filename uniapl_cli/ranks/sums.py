"""Sums over ranks, of many tensors at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

# Bytes that are summed at a time.
PIECE = 64 * 2**20


@torch.no_grad()
def sum_over(group: Any, tensors: Sequence[Tensor]) -> None:
    """Add to each tensor, in place, those of the same place of all ranks of a group."""
    for pieces in in_pieces(tensors):
        flat = torch.cat([piece.flatten() for piece in pieces])
        dist.all_reduce(flat, group=group)
        for piece, total in zip(pieces, flat.split([p.numel() for p in pieces]), strict=True):
            piece.copy_(total.view_as(piece))
        if flat.is_cuda:
            torch.cuda.current_stream(flat.device).synchronize()


def in_pieces(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in their order, of one dtype and at most PIECE bytes, or one, at a time."""
    pieces: list[Tensor] = []
    for tensor in tensors:
        size = sum(piece.nbytes for piece in pieces) + tensor.nbytes
        if pieces and (size > PIECE or pieces[0].dtype is not tensor.dtype):
            yield pieces
            pieces = []
        pieces.append(tensor)
    if pieces:
        yield pieces
