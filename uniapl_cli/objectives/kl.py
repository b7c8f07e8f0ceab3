"""KL to the frozen reference."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import START, TokenBatch, TokenLoss

Estimator = Literal["k1", "k2", "k3"]


@objectives.register("kl", reference=True)
def kl(
    logps: Tensor,
    batch: TokenBatch,
    *,
    reference: str = START,
    estimator: Estimator = "k3",
    use_bias_correction: bool = False,
) -> TokenLoss:
    """Estimate KL(policy || reference) from sampled tokens. logps: (B, T).

    `reference`: the frozen start, or one of the config's `references`.

    With d = ref_logp - logp: k1 = -d, k2 = d^2 / 2, k3 = exp(d) - d - 1 (Schulman). d = 1 gives -1,
    0.5 and 0.7183. k3 is never negative. The gradient of k2 is, in expectation, the divergence's
    own; that of k1 is 1 for every token and so 0 in expectation: use k1 in a reward only.
    `use_bias_correction` multiplies the estimate by exp(logp - old_logp), for tokens of an older
    policy (DeepSeek-V3.2, TRL). The metric `kl` is k3 whatever the estimator.
    """
    d = batch.reference(reference) - logps
    loss = estimate(d, estimator)
    if use_bias_correction:
        assert batch.old_logps is not None, "rollouts carry their sampler's log-probabilities"
        loss = (logps - batch.old_logps).clamp(-20.0, 20.0).exp() * loss
    d = d.detach()
    return TokenLoss(loss, {"kl": estimate(d, "k3"), "k1": -d})


def estimate(d: Tensor, estimator: Estimator) -> Tensor:
    """Return the estimate of each token's divergence from d = ref_logp - logp.

    d is bounded by 20 so that exp cannot overflow, as in verl and NeMo-RL.
    """
    d = d.clamp(-20.0, 20.0)
    match estimator:
        case "k1":
            return -d
        case "k2":
            return d.square() / 2
        case "k3":
            return d.expm1() - d
