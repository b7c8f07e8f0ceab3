"""Divergences between the policy's whole distributions and a reference's: distillation."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from uniapl_cli.objectives.objective import objectives
from uniapl_cli.options import Count
from uniapl_cli.readings import Divergence, Reading
from uniapl_cli.tensors import TokenBatch, TokenLoss

# The least that is known of the probability of all other tokens, as in SDPO's own code.
LEAST_TAIL = 1e-7


def compared(options: Any) -> tuple[Reading, ...]:
    """Return what a pass has to give for the objective with these options."""
    return (Divergence(options.reference, options.beta, options.top_k, options.tail),)


@objectives.register("divergence", reads=compared)
def divergence(
    logps: Tensor,
    batch: TokenBatch,
    *,
    reference: str,
    beta: Annotated[float, Field(ge=0, le=1)] = 0.5,
    top_k: Count | None = None,
    tail: bool = True,
) -> TokenLoss:
    """GKD's generalised Jensen-Shannon divergence from a reference, of whole distributions.

    With policy s and reference t: `beta` 0 is KL(t || s), 1 is KL(s || t), and between them it is
    beta KL(t || m) + (1 - beta) KL(s || m) with m = (1 - beta) s + beta t. arXiv 2306.13649; TRL
    has the same weights. With `top_k` only the policy's most likely tokens are compared, all
    others together as one more if `tail`, or else left out (SDPO, arXiv 2601.20802). logps: (B, T).
    [0.5, 0.5] against [0.9, 0.1] costs 0.3681 with beta 0, and 0.5108 with 1.
    """
    return TokenLoss(batch.readings[Divergence(reference, beta, top_k, tail)])


def apart(s: Tensor, t: Tensor, beta: float) -> Tensor:
    """Return the divergence (R,) of two distributions, given as log-probabilities (R, V)."""
    s, t = finite(s), finite(t)
    if beta == 0:
        return (t.exp() * (t - s)).sum(1)
    if beta == 1:
        return (s.exp() * (s - t)).sum(1)
    m = torch.logaddexp(s + math.log1p(-beta), t + math.log(beta))
    return beta * (t.exp() * (t - m)).sum(1) + (1 - beta) * (s.exp() * (s - m)).sum(1)


def steepness(s: Tensor, t: Tensor, beta: float) -> Tensor:
    """Return p times the divergence's derivative by p, (R, V); p is exp(s).

    But for a constant times p, which makes no difference where probabilities add up to 1.
    """
    s, t = finite(s), finite(t)
    if beta == 0:
        return -t.exp()
    if beta == 1:
        return s.exp() * (s - t)
    m = torch.logaddexp(s + math.log1p(-beta), t + math.log(beta))
    return (1 - beta) * s.exp() * (s - m)


def slope(s: Tensor, t: Tensor, beta: float) -> Tensor:
    """Return the derivative (R, V) of `apart` by each logit of s."""
    steep = steepness(s, t, beta)
    return steep - s.exp() * steep.sum(1, keepdim=True)


def finite(logp: Tensor) -> Tensor:
    """Return log-probabilities without -inf, which times 0 would be NaN."""
    return logp.clamp(min=torch.finfo(logp.dtype).min / 4)


def likeliest(s: Tensor, t: Tensor, top_k: int, tail: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return s and t over the most likely tokens of s, (R, k) or (R, k + 1), and which these are.

    With `tail` the last column is that of all others; without it both add up to 1 again.
    """
    chosen = s.topk(top_k, 1).indices
    parts = s.gather(1, chosen), t.gather(1, chosen)
    s, t = ((_with_tail if tail else _alone)(part) for part in parts)
    return s, t, chosen


def _with_tail(logp: Tensor) -> Tensor:
    whole = logp.logsumexp(1, keepdim=True).clamp(max=-LEAST_TAIL)
    return torch.cat([logp, (-whole.expm1()).log()], 1)


def _alone(logp: Tensor) -> Tensor:
    return logp - logp.logsumexp(1, keepdim=True)


def top_slope(s: Tensor, t: Tensor, beta: float, top_k: int, tail: bool) -> Tensor:
    """Return the derivative (R, V) by each logit of s where only `top_k` tokens are compared."""
    of, by, chosen = likeliest(s, t, top_k, tail)
    steep = steepness(of, by, beta)
    total = steep.sum(1, keepdim=True)
    if not tail:
        return torch.zeros_like(s).scatter(1, chosen, steep - of.exp() * total)
    # A token of the tail has its share of what the tail gives.
    share = steep[:, -1:] * (s - of[:, -1:]).exp()
    return share.scatter(1, chosen, steep[:, :-1]) - s.exp() * total
