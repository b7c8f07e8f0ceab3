"""Total log-probabilities of responses, as training computes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from uniapl_cli.data.collate import pad_rows
from uniapl_cli.errors import ModelError
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.policy import Policy

# Tokens, padding included, in one forward pass.
PASS_TOKENS = {"cpu": 2048, "cuda": 16384}

# Token ids of a prompt, and of a response to it with its stop token if it has one.
Pair = tuple[Sequence[int], Sequence[int]]


def batches(pairs: Sequence[Pair], tokens: int) -> list[list[int]]:
    """Return the indices of pairs that are read together, the longest first.

    A batch has at most so many `tokens`, or one pair.
    """
    lengths = [len(prompt) + len(response) for prompt, response in pairs]
    planned: list[list[int]] = []
    for index in sorted(range(len(pairs)), key=lambda i: -lengths[i]):
        if planned and (len(planned[-1]) + 1) * lengths[planned[-1][0]] <= tokens:
            planned[-1].append(index)
        else:
            planned.append([index])
    return planned


@torch.no_grad()
def totals(policy: Policy, pairs: Sequence[Pair]) -> list[float]:
    """Return the log-probability of each response behind its prompt, in nats, at temperature 1.

    Raises ModelError where one is no number.
    """
    tokens, mask = pad_rows(pairs, pad_id=0)
    logps = policy.forward(TokenBatch(tokens, mask).to(policy.device))
    found: list[float] = logps.double().sum(1).tolist()
    if not all(map(math.isfinite, found)):
        raise ModelError("the model's log-probabilities are not numbers")
    return found
