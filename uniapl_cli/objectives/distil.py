"""On-policy distillation: what a reference says of each sampled token is the token's advantage."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn.functional import pad

from uniapl_cli.objectives.corrections import correcting
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss

# What is compared with the reference: the sampler, or the learner as it is at each update.
Against = Literal["sampler", "learner"]


def earns(*, discount: float, own: bool, **_: object) -> None:
    """Refuse a token that earns neither its own nor what others do."""
    if not own and discount == 0:
        raise ValueError("own = false and discount = 0: a token would earn nothing")


@objectives.register("distil", sensible=earns, reference=True, corrects=True)
def distil(
    logps: Tensor,
    batch: TokenBatch,
    *,
    reference: str,
    discount: Annotated[float, Field(ge=0, le=1)] = 0.0,
    normalise: bool = False,
    own: bool = True,
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0,
    against: Against = "sampler",
    largest_drop: Annotated[float, Field(ge=0, le=1)] | None = None,
    drift: NonNegativeFloat = 0.0,
) -> TokenLoss:
    """-rho A with A = log p_reference - log p_sampler, held constant, and rho = p / p_sampler.

    logps: (B, T). Its expected gradient is that of KL(policy || reference), a token at a time:
    Thinking Machines' on-policy distillation. A = -0.2 costs 0.2, and its gradient lowers logp.
    A token also earns what later ones do, each times `discount` once more for each token between
    (MiniLLM, arXiv 2306.08543), with `normalise` as a weighted mean; without `own` it earns only
    what they do. `progress` g multiplies A by
    1 + g (1 - share), share being that of the earlier tokens in the response's sum of |A| (IW-OPD,
    arXiv 2606.22600). `against` learner takes A against the policy as it is at each update;
    `largest_drop` leaves out tokens whose probability has fallen by more since they were sampled;
    `drift` times the square of log rho is added (prime-rl: learner, 0.2 and 1e-3).

    Where the batch has a correction, the sampler is the learner before the step's first update, and
    the loss is multiplied by the correction's weight of learner / sampler. Metrics: `k1`, the mean
    of -A before any discount, estimates the divergence.
    """
    by = correcting(logps, batch)
    mask = batch.loss_mask
    log_ratio = by.log_ratio(logps)
    base = by.start if against == "sampler" else logps.detach()
    gaps = ((batch.reference(reference) - base) * mask).detach()
    earned = to_go(gaps, mask, discount, normalise)
    earned = earned if own else after(earned) * mask
    gain = log_ratio.exp() * weighed(earned, mask, progress)
    metrics = {"k1": -gaps}
    if largest_drop is not None:
        kept = (logps.exp() - by.start.exp() >= -largest_drop).detach()
        gain = gain * kept
        metrics["kept"] = kept.float()
    loss = by.loss(gain, metrics)
    return replace(loss, per_token=loss.per_token + drift * log_ratio.square())


def after(values: Tensor) -> Tensor:
    """Return what is at the next place, (B, T); 0 at the last."""
    return pad(values[:, 1:], (0, 1))


def to_go(values: Tensor, mask: Tensor, discount: float, normalise: bool) -> Tensor:
    """Return each token's value and, discounted, those of the later ones; all (B, T), 0 unmasked.

    With 0.9, [1, 2] gives [2.8, 2], and [1.474, 2] as weighted means.
    """
    if discount == 0:
        return values
    total = _discounted(values, discount)
    if normalise:
        total = total / _discounted(mask.to(values.dtype), discount).clamp(min=1)
    return total * mask


def _discounted(values: Tensor, discount: float) -> Tensor:
    """Return the sums over all that follows, by doubling what is summed."""
    step, width = 1, values.shape[1]
    while step < width:
        later = pad(values[:, step:], (0, step))
        values = values + discount**step * later
        step *= 2
    return values


def weighed(values: Tensor, mask: Tensor, progress: float) -> Tensor:
    """Return values (B, T) of which the first count most, by how much has come before them."""
    if progress == 0:
        return values
    sizes = values.abs() * mask
    before = sizes.cumsum(1) - sizes
    share = before / sizes.sum(1, keepdim=True).clamp(min=torch.finfo(values.dtype).tiny)
    return values * (1 + progress * (1 - share))
