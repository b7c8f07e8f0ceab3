"""Truncated importance sampling: weights for rollouts whose sampler is not the learner.

Another engine, another precision or older weights sample from another distribution. A loss is
multiplied by p / q, held constant: p is the learner's probability before the step's first update,
q the sampler's. The ratio of the surrogate is then the learner's own, against p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from uniapl_cli.options import Options
from uniapl_cli.registry import Registry
from uniapl_cli.tensors import Correction, TokenBatch, TokenLoss

# (log(p / q) (B, T), loss_mask (B, T), *, options) -> p / q, and the weights in its place; both
# (B, T), or (B, 1) for a number a response.
corrections: Registry[Correction] = Registry("correction")

Cap = Annotated[float | None, Field(ge=1, description="the largest weight; null: there is none")]
Floor = Annotated[
    float | None, Field(ge=0, le=1, description="the smallest weight; null: there is none")
]
Mask = Annotated[bool, Field(description="0 beyond cap and floor, instead of cap and floor")]
Ratio = Annotated[
    Literal["sum", "mean"],
    Field(description="of the tokens' log-ratios; the exponential is the response's ratio"),
]
# Beyond e^20 a ratio says only that it is huge; its square still fits into float32.
LARGEST = 20.0


def bounded(*, cap: float | None, floor: float | None, mask: bool, **_: object) -> None:
    """Refuse a `mask` without a cap and a floor, beyond which it would put 0."""
    if mask and cap is None and floor is None:
        raise ValueError("mask = true, and there is neither cap nor floor beyond which it puts 0")


@corrections.register("off")
def off(log_ratio: Tensor, loss_mask: Tensor) -> tuple[Tensor, Tensor]:
    """No weights: the surrogate's ratio is against the sampler, as if that were the learner."""
    ratio = log_ratio.clamp(-LARGEST, LARGEST).exp()
    return ratio, ratio.new_ones(()).expand_as(ratio)


@corrections.register("token", sensible=bounded)
def token(
    log_ratio: Tensor, loss_mask: Tensor, *, cap: Cap = 2.0, floor: Floor = None, mask: Mask = False
) -> tuple[Tensor, Tensor]:
    """Each token's own ratio, at most `cap`: TRL's token_truncate, verl's rollout_is=token.

    With p / q = 0.5, 1 and 3 the weights are 0.5, 1 and 2; 0.5, 1 and 0 with `mask` (TRL's
    token_mask), and 0, 1 and 0 with a floor of 0.8 too (IcePop).
    """
    ratio = log_ratio.clamp(-LARGEST, LARGEST).exp()
    return ratio, limited(ratio, cap, floor, mask)


@corrections.register("sequence", sensible=bounded)
def sequence(
    log_ratio: Tensor,
    loss_mask: Tensor,
    *,
    cap: Cap = 2.0,
    floor: Floor = None,
    mask: Mask = False,
    ratio: Ratio = "sum",
) -> tuple[Tensor, Tensor]:
    """One ratio for all tokens of a response, at most `cap`: TRL's sequence_truncate.

    `sum` of the tokens' log-ratios is the response's own ratio, without bias where nothing is
    capped (TRL, verl); their `mean` is the geometric mean (ms-swift), which varies far less. Tokens
    at 0.5 and 3 give 1.5, and 1.22.
    """
    total = log_ratio.masked_fill(~loss_mask, 0).sum(1, keepdim=True)
    if ratio == "mean":
        total = total / loss_mask.sum(1, keepdim=True).clamp(min=1)
    whole = total.clamp(-LARGEST, LARGEST).exp()
    return whole, limited(whole, cap, floor, mask)


def corrects(correction: Options) -> bool:
    """Whether a chosen correction weighs anything."""
    return corrections.entry(correction).name != "off"


def limited(ratio: Tensor, cap: float | None, floor: float | None, mask: bool = False) -> Tensor:
    """Return the ratio within its bounds: held at them, or 0 beyond them where `mask`."""
    if cap is None and floor is None:
        return ratio
    held = ratio.clamp(floor, cap)
    return ratio * (held == ratio) if mask else held


@dataclass(frozen=True)
class Correcting:
    """What a loss with a ratio takes of a batch's sampler. All (B, T), but weights may be (B, 1).

    start: the log-probabilities that its ratio is against. gap: |log(p / q)| a token. ratio: p / q,
    by the correction's level. weights: what the losses are multiplied with; None: nothing.
    """

    start: Tensor
    gap: Tensor
    ratio: Tensor
    weights: Tensor | None

    def log_ratio(self, logps: Tensor) -> Tensor:
        """Return log(p' / p), (B, T), of p' the learner as it is.

        Past e^20 a ratio is clipped anyway; unbounded it overflows, and inf * 0 is NaN.
        """
        return (logps - self.start).clamp(-LARGEST, LARGEST)

    def loss(self, gain: Tensor, metrics: Mapping[str, Tensor]) -> TokenLoss:
        """Return minus the gain (B, T), weighed, with what is logged of the sampler beside metrics.

        `sampler_gap` is the mean of |log(p / q)|, `sampler_gap_max` the largest;
        `effective_sample_size` that of p / q, a share; `capped_ratio` the share of weights that
        cap, floor or mask have changed.
        """
        if self.weights is not None:
            gain = self.weights * gain
            metrics = {**metrics, "capped_ratio": (self.weights != self.ratio).float()}
        metrics = {**metrics, "sampler_gap": self.gap}
        maxima, weights = {"sampler_gap_max": self.gap}, {"effective_sample_size": self.ratio}
        return TokenLoss(-gain, metrics, maxima, weights)


def correcting(logps: Tensor, batch: TokenBatch) -> Correcting:
    """Return how a batch is corrected for its sampler. logps: (B, T), the learner's as it is now.

    With one update a step they are also those before the first; with more, the batch has these.
    """
    assert batch.old_logps is not None, "rollouts carry the log-probabilities of their sampler"
    start = logps.detach() if batch.start_logps is None else batch.start_logps
    log_ratio = start - batch.old_logps
    gap = log_ratio.clamp(-LARGEST, LARGEST).abs()
    if batch.correction is None:
        return Correcting(batch.old_logps, gap, off(log_ratio, batch.loss_mask)[0], None)
    ratio, weights = batch.correction(log_ratio, batch.loss_mask)
    return Correcting(start, gap, ratio, weights)
