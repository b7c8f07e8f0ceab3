"""A fact of rollouts, for conditions of terms."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from uniapl_cli import Rollout, register_fact


@register_fact("polite", level="row", kind="truth", when="drawn")
def polite(rollouts: Sequence[Rollout], judged: Any, mask: Tensor) -> Tensor:
    """Whether the response says please. Returns (N,); mask: (N, T), the responses' tokens."""
    return torch.tensor(["please" in rollout.completion.text for rollout in rollouts])
