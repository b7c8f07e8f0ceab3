"""An update by a method's file, of log-probabilities that are the parameters themselves.

What others' formulas and functions give of the same tensors is then this update's to give too, in
float64 and whatever the micro-batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from accumulating import accumulated_means
from torch import Tensor

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.ranks import ALONE
from uniapl_cli.readings import Entropy
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.terms import Term

SIZES = [1, 2, 4]


@dataclass
class Table:
    """A trainable whose log-probabilities are parameters: a row's first token is its number."""

    logps: Tensor
    ref_logps: Tensor | None = None
    entropy: Tensor | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    ranks = ALONE

    def forward(self, batch):
        return self._of(self.logps, batch) * batch.loss_mask

    def forward_with(self, batch, readings):
        entropy = self._of(self.entropy.expand_as(self.logps), batch)
        return self.forward(batch), {Entropy(): entropy * batch.loss_mask}

    def frozen(self):
        return Table(self.ref_logps)

    @staticmethod
    def _of(values, batch):
        return values[batch.tokens[:, 0]][:, : batch.loss_mask.shape[1]]


def tensor(values: Any) -> Tensor:
    """Return numbers in float64."""
    return torch.tensor(values, dtype=torch.float64)


def composed(
    method: str, *overrides: str, step: int = 0
) -> tuple[Sequence[Term], Mapping[str, float]]:
    """Return the terms of a method's file, and their weights at a step."""
    given = ["training.steps=500", "sampling.max_new_tokens=64", *overrides]
    made = plan(load_config(None, given, method))
    return made.active(step), made.weights(step)


def updated(
    method: str,
    inputs: Mapping[str, Any],
    known: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    factors: Mapping[str, float] | None = None,
    rows: int = 2,
    step: int = 0,
    sources: Mapping[str, Sequence[int]] | None = None,
    **fields: Any,
) -> tuple[float, Tensor]:
    """Return the loss and the gradient of an update by a method's file, `rows` rows at a time.

    inputs: logps and mask (B, T), and what else the rows have. known: their facts. factors: what
    terms' weights are multiplied by. sources: the rows of each; all are rollouts where there are
    none. fields: of the trainable.
    """
    logps = tensor(inputs["logps"]).requires_grad_()
    mask = torch.tensor(inputs["mask"]).bool()
    tokens = torch.zeros(len(logps), logps.shape[1] + 1, dtype=torch.long)
    tokens[:, 0] = torch.arange(len(logps))
    batch = TokenBatch(
        tokens,
        mask,
        old_logps=tensor(inputs.get("old_logps", inputs["logps"])),
        advantages={"verifier": tensor(inputs.get("advantages", [0.0] * len(logps)))},
        known={name: torch.as_tensor(value) for name, value in (known or {}).items()},
    )
    places = sources or {"rollouts": range(len(logps))}
    batches = {name: batch.take(torch.tensor([*own])) for name, own in places.items()}
    terms, weights = composed(method, *overrides, step=step)
    weights = {name: weights[name] * (factors or {}).get(name, 1) for name in weights}
    table = Table(logps, **fields)
    reference = None if table.ref_logps is None else table.frozen()
    means = accumulated_means(table, terms, weights, batches, rows, reference)
    return sum(weights[term.name] * means[term.name].value for term in terms), logps.grad
