"""Token sequences to tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from uniapl_cli.tensors import pad_ids


def pad_rows(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int
) -> tuple[Tensor, Tensor]:
    """Join (prompt ids, response ids) pairs into tokens (B, T+1) and loss mask (B, T).

    The mask is True where the next token is one of the response.
    """
    tokens, _ = pad_ids([[*prompt, *response] for prompt, response in pairs], pad_id)
    starts = torch.tensor([len(prompt) for prompt, _ in pairs]).unsqueeze(1)
    ends = starts + torch.tensor([len(response) for _, response in pairs]).unsqueeze(1)
    following = torch.arange(1, tokens.shape[1])
    return tokens, (following >= starts) & (following < ends)


def without_shown(mask: Tensor, shown: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
    """Return a loss mask (B, T) without the response tokens that `shown` says were only shown.

    Of each row it holds where they begin and end, counted from the response's first token.
    """
    if not any(shown):
        return mask
    place = mask.long().cumsum(1) - 1
    hidden = torch.zeros_like(mask)
    for row, spans in enumerate(shown):
        for start, end in spans:
            hidden[row] |= (place[row] >= start) & (place[row] < end)
    return mask & ~hidden


def lay_out(values: Sequence[Sequence[float]], mask: Tensor) -> Tensor:
    """Return a (B, T) tensor with one number a response token where the mask is True, else 0."""
    numbers = torch.zeros(mask.shape, dtype=torch.float32)
    numbers[mask] = torch.tensor([value for row in values for value in row], dtype=torch.float32)
    return numbers
