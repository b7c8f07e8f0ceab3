"""Log-probabilities of tokens, without all logits at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from uniapl_cli.products import add_product, multiply, uses_tf32

# Elements of logits that exist at a time: 256 MiB in float32.
LOGIT_BUDGET = 2**26


def token_logps(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    finish: Callable[[Tensor], Tensor] | None = None,
    temperature: float = 1.0,
    budget: int = LOGIT_BUDGET,
) -> Tensor:
    """Return (N,) float32 log-probabilities of `targets`. hidden: (N, H), weight: (V, H).

    `finish` is what the model does to its logits; it must be differentiable. At most `budget`
    logits exist at a time, and what `finish` makes of them. If that takes several chunks, or
    `finish` changes them, the backward pass recomputes them instead of keeping them.
    """
    logits = Logits(finish, temperature, uses_tf32(weight.device))
    rows = max(1, budget // weight.shape[0])
    result: Tensor = _TokenLogps.apply(hidden, weight, bias, targets, logits, rows)
    return result


class Logits:
    """How logits are made of hidden states, and slopes of the hidden states of theirs."""

    def __init__(
        self, finish: Callable[[Tensor], Tensor] | None, temperature: float, tf32: bool
    ) -> None:
        self.finish, self.temperature, self.tf32 = finish, temperature, tf32

    def __call__(
        self, hidden: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Callable[[Tensor], Tensor], bool]:
        """Return logits (R, V) that may be written to, and what turns their slopes to the raw ones.

        And whether the raw ones are kept for that.
        """
        raw = multiply(hidden.to(weight.dtype), weight, self.tf32)
        raw = (raw if bias is None else raw.add_(bias)).float()
        if self.finish is None:
            return self.cooled(raw), self.cooled, False
        with torch.enable_grad():
            finished = self.finish(raw.requires_grad_())
        if finished is raw:
            return self.cooled(raw.detach()), self.cooled, False

        def back(slope: Tensor) -> Tensor:
            return torch.autograd.grad(finished, raw, self.cooled(slope))[0]

        return finished.detach() / self.temperature, back, True

    def cooled(self, values: Tensor) -> Tensor:
        """Return logits, or slopes of theirs, divided in place by the temperature."""
        return values if self.temperature == 1 else values.div_(self.temperature)


class _TokenLogps(torch.autograd.Function):
    """Chunks of `rows` tokens; the slope of a token's logits is that of its logp times e_t - p.

    Everything is computed in place: a chunk's logits become its probabilities and then its slopes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        logits: Logits,
        rows: int,
    ) -> Tensor:
        """Return log-probabilities (N,). hidden: (N, D), weight: (V, D), bias: (V,)."""
        logps, tops, sums, kept = [], [], [], None
        for part, chosen in zip(hidden.split(rows), targets.split(rows), strict=True):
            values, _, bent = logits(part, weight, bias)
            top = values.amax(1, keepdim=True)
            at_target = values.sub_(top).gather(1, chosen.unsqueeze(1))
            total = values.exp_().sum(1, keepdim=True)
            logps.append((at_target - total.log()).squeeze(1))
            tops.append(top)
            sums.append(total)
            kept = None if bent or len(hidden) > rows else values
            del values  # before the next chunk's are made
        ctx.logits, ctx.rows = logits, rows
        ctx.save_for_backward(hidden, weight, bias, targets, torch.cat(tops), torch.cat(sums), kept)
        return torch.cat(logps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden, weight and bias, from slopes (N,); others have none."""
        hidden, weight, bias, targets, tops, sums, kept = ctx.saved_tensors
        found = Gradients(hidden, weight, ctx.needs_input_grad[:3], ctx.logits.tf32)
        for start in range(0, max(1, len(hidden)), ctx.rows):
            here = slice(start, start + ctx.rows)
            back = ctx.logits.cooled
            if kept is None:
                values, back, _ = ctx.logits(hidden[here], weight, bias)
                values = values.sub_(tops[here]).exp_()
            else:
                values = kept
            slope = slopes[here].unsqueeze(1)
            values.mul_(-slope / sums[here]).scatter_add_(1, targets[here].unsqueeze(1), slope)
            found.add(here, back(values))
            del values, back
        return found.of_hidden, found.of_weight, found.of_bias, None, None, None


class Gradients:
    """The gradients of hidden states (N, H), head (V, H) and bias (V,), chunk by chunk."""

    def __init__(self, hidden: Tensor, weight: Tensor, wants: Sequence[bool], tf32: bool) -> None:
        self.hidden, self.weight, self.wants, self.tf32 = hidden, weight, wants, tf32
        self.of_hidden = torch.empty_like(hidden) if wants[0] else None
        self.of_weight = torch.zeros_like(weight) if wants[1] else None
        self.of_bias: Tensor | None = None

    def add(self, here: slice, slopes: Tensor) -> None:
        """Add what the slopes (R, V) of the raw logits of some tokens give."""
        slopes = slopes.to(self.weight.dtype)
        if self.of_hidden is not None:
            self.of_hidden[here] = multiply(slopes, self.weight.t(), self.tf32)
        if self.of_weight is not None:
            hidden = self.hidden[here].to(self.weight.dtype)
            add_product(self.of_weight, slopes.t(), hidden.t(), self.tf32)
        if self.wants[2]:
            total = slopes.sum(0)
            self.of_bias = total if self.of_bias is None else self.of_bias.add_(total)
