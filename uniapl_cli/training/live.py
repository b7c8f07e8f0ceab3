"""Facts of a pass: what a term's scale may name of the learner as it is."""

from __future__ import annotations

from torch import Tensor

from uniapl_cli.facts import facts as facts
from uniapl_cli.objectives.corrections import LARGEST
from uniapl_cli.objectives.reductions import row_means
from uniapl_cli.readings import Entropy
from uniapl_cli.tensors import TokenBatch


@facts.register("p", level="token", kind="number", when="pass")
def p(logps: Tensor, batch: TokenBatch) -> Tensor:
    """The token's probability under the learner as it is; rounding makes it no more than 1."""
    return logps.exp().clamp(max=1)


@facts.register("ratio", level="token", kind="number", when="pass", sampled=True)
def ratio(logps: Tensor, batch: TokenBatch) -> Tensor:
    """The token's probability under the learner as it is, over that under its sampler."""
    assert batch.old_logps is not None, "rollouts carry their sampler's log-probabilities"
    return (logps - batch.old_logps).clamp(-LARGEST, LARGEST).exp()


@facts.register("entropy", level="token", kind="number", when="pass", reads=(Entropy(),))
def entropy(logps: Tensor, batch: TokenBatch) -> Tensor:
    """The entropy of the distribution that the token was drawn from, in nats."""
    return batch.readings[Entropy()]


@facts.register("row_entropy", level="row", kind="number", when="pass", reads=(Entropy(),))
def row_entropy(logps: Tensor, batch: TokenBatch) -> Tensor:
    """The mean of `entropy` over the row's tokens that count in any loss, (B, 1)."""
    return row_means(batch.readings[Entropy()], batch.loss_mask)
