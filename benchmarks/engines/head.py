"""The loss over a large vocabulary, or log-probabilities alone, by several ways to compute them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from uniapl_cli.products import quick_products
from uniapl_cli.training.logps import token_logps

Way = Callable[[Tensor, Tensor, Tensor], Tensor]


def naive(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Return the log-probabilities from all logits, as cross_entropy has them."""
    return -F.cross_entropy(F.linear(hidden, weight).float(), targets, reduction="none")


def naive_onednn(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """The same, its products by oneDNN, as this project's."""
    with quick_products(hidden.device):
        return naive(hidden, weight, targets)


def torch_fused(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """torch's own chunks, of its own choice; it gives the mean loss alone: one value."""
    options = torch.nn.LinearCrossEntropyOptions()
    return -F.linear_cross_entropy(hidden, weight, targets, options=options).reshape(1)


def trl_selective(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """TRL's function on all logits."""
    from trl.trainer.utils import selective_log_softmax

    return selective_log_softmax(F.linear(hidden, weight), targets)


def trl_chunked(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """TRL's head that its trainers use, without the figures that it can give besides."""
    from trl.kernels import ChunkedLogProbFunction

    return ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, CHUNK, None, 1.0, ())[0]


CHUNK = 32768  # of the vocabulary, as its trainers have it
WAYS: dict[str, Way] = {
    "ours": token_logps,
    "naive": naive,
    "naive_onednn": naive_onednn,
    "torch_fused": torch_fused,
    "trl_selective": trl_selective,
    "trl_chunked": trl_chunked,
}


class Head:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        rng = torch.Generator().manual_seed(0)
        vocabulary, positions, width = job["vocabulary"], job["positions"], job["hidden"]
        self.weight = torch.randn(vocabulary, width, generator=rng).mul_(0.02)
        self.hidden = torch.randn(positions, width, generator=rng)
        self.targets = torch.randint(vocabulary, (positions,), generator=rng)
        self.way, self.backward = WAYS[job["way"]], job["backward"]
        # Imports, and what a first call builds.
        few = self.hidden[:2].clone().requires_grad_(), self.weight[:8].clone().requires_grad_()
        self.way(*few, self.targets[:2] % 8).mean().backward()

    def __call__(self) -> dict[str, Any]:
        hidden = self.hidden.requires_grad_(self.backward)
        weight = self.weight.requires_grad_(self.backward)
        logps = self.way(hidden, weight, self.targets)
        if self.backward:
            (-logps.mean()).backward()
        return {"value": -logps.mean().item()}


def load(job: dict[str, Any]) -> Head:
    return Head(job)
