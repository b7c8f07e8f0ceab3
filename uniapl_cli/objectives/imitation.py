"""Imitation: raise the probability of the expert's tokens."""

from __future__ import annotations

from torch import Tensor

from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss


@objectives.register("nll")
def nll(logps: Tensor, batch: TokenBatch) -> TokenLoss:
    """SFT: -log p. logps: (B, T). Paper, section 3.3. p = 0.5 costs 0.6931."""
    return TokenLoss(-logps)


@objectives.register("chord_phi")
def chord_phi(logps: Tensor, batch: TokenBatch) -> TokenLoss:
    """CHORD-phi: -p (1 - p) log p; no gradient flows through the weight p (1 - p).

    Tokens count most where the policy is unsure. logps: (B, T). arXiv 2508.11408.
    p = 0.5 costs 0.25 * 0.6931 = 0.1733; p = 0.9 costs 0.0095.
    """
    p = logps.detach().exp()
    phi = p * (1 - p)
    return TokenLoss(-phi * logps, {"phi": phi, "p": p})


@objectives.register("dft")
def dft(logps: Tensor, batch: TokenBatch) -> TokenLoss:
    """DFT, dynamic fine-tuning: -p log p; no gradient flows through the weight p.

    logps: (B, T). arXiv 2508.05629. The same loss is CHORD's importance-sampling baseline (arXiv
    2508.11408), where the expert's own probability is taken as 1. p = 0.5 costs 0.3466.
    """
    p = logps.detach().exp()
    return TokenLoss(-p * logps, {"p": p})
