"""Token sequences to a TokenBatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from uniapl_cli.chat import Chat
from uniapl_cli.errors import DataError
from uniapl_cli.types import Example

Answer = Literal["response", "rejected"]


def encode_demonstration(
    chat: Chat,
    example: Example,
    max_response_tokens: int | None = None,
    context: int | None = None,
) -> tuple[list[int], list[int]]:
    """Return the ids of the prompt and of the teacher's response, stop token included.

    A response of more than `max_response_tokens`, or than the prompt leaves of `context`, is cut at
    its end: the stop token goes too, for the teacher did not stop there.
    """
    if example.response is None:
        raise DataError(f"{example.origin}: no 'response'; run uniapl teacher-gen on the prompts")
    prompt, response = encode_answer(chat, example, "response")
    if context is not None:
        response = response[: max(context - len(prompt), 0)]
    return prompt, response[:max_response_tokens]


def encode_answer(chat: Chat, example: Example, name: Answer) -> tuple[list[int], list[int]]:
    """Return the ids of the prompt and of one of its answers, stop token included."""
    answer: str | None = getattr(example, name)
    if answer is None:
        raise DataError(f"{example.origin}: there is no {name} answer to the prompt")
    return chat.prompt_ids(example.prompt), chat.response_ids(answer)


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


def place(values: Sequence[Sequence[float]], mask: Tensor) -> Tensor:
    """Lay one number a response token into a (B, T) tensor at the places of its mask."""
    flat = torch.tensor([value for row in values for value in row], dtype=torch.float32)
    placed = torch.zeros(mask.shape, dtype=torch.float32)
    placed[mask] = flat
    return placed
