"""Token sequences to tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pad_rows(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int
) -> tuple[Tensor, Tensor]:
    """Join (prompt ids, response ids) pairs into tokens (B, T+1) and mask (B, T).

    The mask is True where the next token is one of the response.
    """
    width = max(len(prompt) + len(response) for prompt, response in pairs)
    tokens = torch.full((len(pairs), width), pad_id, dtype=torch.long)
    mask = torch.zeros(len(pairs), width - 1, dtype=torch.bool)
    for row, (prompt, response) in enumerate(pairs):
        start, end = len(prompt), len(prompt) + len(response)
        tokens[row, :end] = torch.tensor([*prompt, *response])
        mask[row, start - 1 : end - 1] = True
    return tokens, mask


def pad_ids(rows: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    """Return (R, L) ids, padded on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows])


def place(values: Sequence[Sequence[float]], mask: Tensor) -> Tensor:
    """Lay one number a response token into a (B, T) tensor at the places of its mask."""
    flat = torch.tensor([value for row in values for value in row], dtype=torch.float32)
    placed = torch.zeros(mask.shape, dtype=torch.float32)
    placed[mask] = flat
    return placed
