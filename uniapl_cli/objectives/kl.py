"""KL to the frozen reference."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss


@objectives.register("kl", reference=True)
def kl(
    logps: Tensor, batch: TokenBatch, *, estimator: Literal["k1", "k2", "k3"] = "k3"
) -> TokenLoss:
    """Estimate KL(policy || reference) from sampled tokens. logps: (B, T).

    With d = ref_logp - logp: k1 = -d, k2 = d^2 / 2, k3 = exp(d) - d - 1 (Schulman). d = 1 gives -1,
    0.5 and 0.7183. d is bounded by 20 so that exp cannot overflow.
    """
    assert batch.ref_logps is not None, "registered with reference=True"
    d = (batch.ref_logps - logps).clamp(-20.0, 20.0)
    estimate = {"k1": lambda: -d, "k2": lambda: d.square() / 2, "k3": lambda: d.expm1() - d}
    return TokenLoss(estimate[estimator]())
