"""What the vocabulary head gives of tokens beside log-probabilities, without all logits at a time.

A chunk of tokens has its logits turned into log-probabilities (R, V), from which each value and its
slope are made. The backward pass computes the chunk again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from uniapl_cli.objectives.divergence import apart, likeliest, slope, top_slope
from uniapl_cli.products import uses_tf32
from uniapl_cli.readings import Divergence, Entropy, Reading
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.logps import LOGIT_BUDGET, Gradients, Logits

# Tensors of a chunk's size that exist at a time: logits, probabilities, slopes and what is made
# on the way; each value may have as many of its own.
ALIVE = 4


class Gauge(Protocol):
    """A value a token, of the distribution that it was drawn from; pure functions."""

    def value(self, logp: Tensor, here: slice) -> Tensor:
        """Return (R,). logp: (R, V), all tokens' log-probabilities; here: the places among N."""
        ...

    def slope(self, logp: Tensor, here: slice) -> Tensor:
        """Return the value's derivative by each token's logit, (R, V)."""
        ...


class EntropyGauge:
    """H = -sum p log p, in nats; dH / dlogit_j = -p_j (log p_j + H)."""

    def value(self, logp: Tensor, here: slice) -> Tensor:
        """Return (R,) entropies."""
        # What has no probability adds nothing, where -inf times 0 would be NaN.
        return -(logp.exp() * logp.clamp(min=torch.finfo(logp.dtype).min)).sum(1)

    def slope(self, logp: Tensor, here: slice) -> Tensor:
        """Return (R, V)."""
        entropy = self.value(logp, here).unsqueeze(1)
        return -logp.exp() * (logp.clamp(min=torch.finfo(logp.dtype).min) + entropy)


@dataclass(frozen=True)
class Teacher:
    """Whole distributions of a reference: hidden states (N, H) and the head that reads them.

    tf32: whether products are computed in it, on the way back too.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None = None
    finish: Callable[[Tensor], Tensor] | None = None
    temperature: float = 1.0
    tf32: bool = False

    def logp(self, here: slice) -> Tensor:
        """Return log-probabilities (R, V) of the tokens at some places."""
        logits = Logits(self.finish, self.temperature, self.tf32)
        return logits(self.hidden[here], self.weight, self.bias)[0].log_softmax(1)


@dataclass(frozen=True)
class DivergenceGauge:
    """How far a token's distribution is from a teacher's.

    Vocabularies may be padded to several lengths: what only one of them has is not compared.
    """

    teacher: Teacher
    reading: Divergence

    def value(self, logp: Tensor, here: slice) -> Tensor:
        """Return (R,) divergences."""
        s, t = self._both(logp, here)
        if (top_k := self._top_k(s)) is not None:
            s, t, _ = likeliest(s, t, top_k, self.reading.tail)
        return apart(s, t, self.reading.beta)

    def slope(self, logp: Tensor, here: slice) -> Tensor:
        """Return (R, V)."""
        (s, t), beta, top_k = self._both(logp, here), self.reading.beta, self._top_k(logp)
        if top_k is None:
            of_both = slope(s, t, beta)
        else:
            of_both = top_slope(s, t, beta, top_k, self.reading.tail)
        return pad(of_both, (0, logp.shape[1] - of_both.shape[1]))

    def _both(self, logp: Tensor, here: slice) -> tuple[Tensor, Tensor]:
        s, t = logp, self.teacher.logp(here)
        common = min(s.shape[1], t.shape[1])
        s, t = (p if p.shape[1] == common else p[:, :common].log_softmax(1) for p in (s, t))
        return s, t

    def _top_k(self, logp: Tensor) -> int | None:
        top_k, vocabulary = self.reading.top_k, min(logp.shape[1], len(self.teacher.weight))
        return None if top_k is None or top_k >= vocabulary else top_k


def gauge_of(reading: Reading, batch: TokenBatch) -> Gauge:
    """Return what computes a reading of a batch, from what its teachers say of it.

    Raises TypeError for one that a head does not give.
    """
    match reading:
        case Entropy():
            return EntropyGauge()
        case Divergence(reference=name):
            return DivergenceGauge(batch.teachers[name](batch), reading)
    raise TypeError(f"a vocabulary head gives no {type(reading).__name__}")


def token_values(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    gauges: Sequence[Gauge],
    *,
    bias: Tensor | None = None,
    finish: Callable[[Tensor], Tensor] | None = None,
    temperature: float = 1.0,
    budget: int = LOGIT_BUDGET,
) -> tuple[Tensor, ...]:
    """Return (N,) float32 log-probabilities of `targets`, and (N,) of each gauge.

    All is as in `token_logps`; the values are differentiable too.
    """
    logits = Logits(finish, temperature, uses_tf32(weight.device))
    rows = max(1, budget // (weight.shape[0] * (ALIVE + len(gauges))))
    result: tuple[Tensor, ...] = _TokenValues.apply(
        hidden, weight, bias, targets, logits, rows, tuple(gauges)
    )
    return result


class _TokenValues(torch.autograd.Function):
    """Chunks of `rows` tokens, computed anew on the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        logits: Logits,
        rows: int,
        gauges: Sequence[Gauge],
    ) -> tuple[Tensor, ...]:
        """Return log-probabilities (N,) and values (N,) each."""
        found: list[list[Tensor]] = [[] for _ in range(1 + len(gauges))]
        for start in range(0, max(1, len(hidden)), rows):
            here = slice(start, start + rows)
            logp = logits(hidden[here], weight, bias)[0].log_softmax(1)
            found[0].append(logp.gather(1, targets[here].unsqueeze(1)).squeeze(1))
            for values, gauge in zip(found[1:], gauges, strict=True):
                values.append(gauge.value(logp, here))
            del logp  # before the next chunk's is made
        ctx.logits, ctx.rows, ctx.gauges = logits, rows, gauges
        ctx.save_for_backward(hidden, weight, bias, targets)
        ctx.set_materialize_grads(False)
        return tuple(map(torch.cat, found))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden, weight and bias; slopes: (N,) each, None without any."""
        hidden, weight, bias, targets = ctx.saved_tensors
        found = Gradients(hidden, weight, ctx.needs_input_grad[:3], ctx.logits.tf32)
        for start in range(0, max(1, len(hidden)), ctx.rows):
            here = slice(start, start + ctx.rows)
            logits, back, _ = ctx.logits(hidden[here], weight, bias)
            logp = logits.log_softmax(1)
            of_logits = torch.zeros_like(logp)
            if slopes[0] is not None:
                slope = slopes[0][here].unsqueeze(1)
                of_logits.sub_(slope * logp.exp())
                of_logits.scatter_add_(1, targets[here].unsqueeze(1), slope)
            for gauge, own in zip(ctx.gauges, slopes[1:], strict=True):
                if own is not None:
                    of_logits.addcmul_(own[here].unsqueeze(1), gauge.slope(logp, here))
            found.add(here, back(of_logits))
            del logits, logp, of_logits, back
        return found.of_hidden, found.of_weight, found.of_bias, None, None, None, None
