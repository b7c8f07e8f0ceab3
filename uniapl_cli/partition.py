"""Which rows are computed together: groups of similar length, within a budget of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

# Padded tokens a forward pass. On a CPU more at a time make nothing faster, and 1,024 of a model of
# 0.6B keep 3 GiB for the backward pass; a GPU would idle with less than some thousand.
TOKENS = {"cpu": 1024, "cuda": 8192}
# The tokens whose computation takes as long as it takes to start another pass: 10 to 160 were
# measured on a CPU; a GPU starts some thousand kernels meanwhile.
PASS_TOKENS = {"cpu": 64, "cuda": 1024}


def default_tokens(device: str) -> int:
    """Return the padded tokens a forward pass on a kind of device: cpu, cuda or another."""
    return TOKENS.get(device, TOKENS["cuda"])


def pass_tokens(device: str) -> int:
    """Return the tokens that one more pass costs on a kind of device."""
    return PASS_TOKENS.get(device, PASS_TOKENS["cuda"])


def partition(lengths: Tensor, budget: int, a_pass: int) -> list[Tensor]:
    """Return groups of rows as their indices, the longest rows first. lengths: (B,), at least 1.

    A group has at most `budget` padded tokens, its rows times its longest, or it is one row. Of all
    such groups they cost the least, where a group costs its padded tokens and `a_pass` more. Rows
    of 9, 2, 8 and 1, a budget of 18 and passes of 2 give [0, 2] and [1, 3], which cost 24.
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    count = len(order)
    widths, steps = lengths[order].tolist(), torch.arange(1, count + 1)
    # By the first row of those that are left: what they cost, and how many are the first group.
    costs, firsts = torch.zeros(count + 1, dtype=torch.long), [0] * count
    for start in reversed(range(count)):
        most = max(1, budget // widths[start])
        after = costs[start + 1 : start + 1 + most]
        totals = after + widths[start] * steps[: len(after)] + a_pass
        firsts[start] = int(totals.argmin()) + 1
        costs[start] = totals[firsts[start] - 1]
    groups, start = [], 0
    while start < count:
        groups.append(order[start : start + firsts[start]])
        start += firsts[start]
    return groups
