"""A model's pass over a batch, as one module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from uniapl_cli.batches import PairBatch
from uniapl_cli.discriminators.scalar import ScalarModel
from uniapl_cli.head import Head, backbone
from uniapl_cli.precision import Precision, forward_pass
from uniapl_cli.training.activations import outermost
from uniapl_cli.training.beside import Gauge, token_values
from uniapl_cli.training.logps import token_logps


class Chosen(nn.Module):
    """A vocabulary head as a module: hidden states -> the log-probabilities of chosen tokens."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head, self.linear = head, head.linear

    def forward(
        self, hidden: Tensor, targets: Tensor, temperature: float, gauges: Sequence[Gauge] = ()
    ) -> tuple[Tensor, ...]:
        """Return (N,) log-probabilities, and (N,) of each gauge. hidden: (N, H), targets: (N,)."""
        head = self.head
        options: Any = {"bias": head.bias, "finish": head.finish, "temperature": temperature}
        if gauges:
            return token_values(hidden, head.weight, targets, gauges, **options)
        return (token_logps(hidden, head.weight, targets, **options),)


class Scorer(nn.Module):
    """A model, its head included: tokens -> the log-probabilities of those that are masked.

    One module, since what shards weights brings them together where a module is called.
    """

    def __init__(self, model: Any, head: Head, precision: Precision = "auto") -> None:
        super().__init__()
        self.model = model
        self.head, self.chosen = head, Chosen(head)
        self.precision = precision

    @property
    def backbone(self) -> Any:
        """What the model has below its head."""
        return backbone(self.model)

    @property
    def units(self) -> list[nn.Module]:
        """The parts that are called once a pass: what `Ranks.wrap` takes."""
        return [*units(self.model), self.chosen]

    def forward(
        self,
        tokens: Tensor,
        loss_mask: Tensor,
        temperature: float,
        gauges: Sequence[Gauge] = (),
        hidden: bool = False,
    ) -> tuple[Tensor, ...]:
        """Return (B, T) log-probabilities of the masked tokens, 0 elsewhere, and of each gauge.

        tokens: (B, T+1), loss_mask: (B, T), of what follows. Only the masked tokens go through the
        vocabulary head, LOGIT_BUDGET logits at a time. hidden: return nothing but what would go
        through it, (N, H).
        """
        with forward_pass(self.precision, tokens.device):
            states = self.backbone(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
            if hidden:
                return (states[loss_mask],)
            found = self.chosen(states[loss_mask], tokens[:, 1:][loss_mask], temperature, gauges)
        zeros = torch.zeros(loss_mask.shape, dtype=torch.float32, device=states.device)
        return tuple(zeros.masked_scatter(loss_mask, values) for values in found)


class PairScorer(nn.Module):
    """A classifier with one label as a module: PairBatch -> scores (B, 2)."""

    def __init__(self, scalar: ScalarModel, precision: Precision = "auto") -> None:
        super().__init__()
        self.scalar, self.model = scalar, scalar.model
        self.precision = precision

    @property
    def units(self) -> list[nn.Module]:
        """The parts that are called once a pass: what `Ranks.wrap` takes."""
        return units(self.model)

    def forward(self, batch: PairBatch) -> Tensor:
        """Return (B, 2) scores."""
        with forward_pass(self.precision, batch.tokens.device):
            return self.scalar.forward(batch).clone()  # no view: what is hooked to it must stay


def units(model: Any) -> list[nn.Module]:
    """Return a transformers model's embedding and layers."""
    return [model.get_input_embeddings(), *outermost(model)]
