"""A causal language model's pass over a batch, as one module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uniapl_cli.head import Head, backbone
from uniapl_cli.precision import Precision, forward_pass
from uniapl_cli.training.logps import token_logps


class Scorer(nn.Module):
    """A model, its head included: tokens -> the log-probabilities of those that are masked.

    One module, since what shards weights brings them together where a module is called.
    """

    def __init__(self, model: Any, head: Head, precision: Precision = "auto") -> None:
        super().__init__()
        self.model = model
        self.head = head
        self.precision = precision

    @property
    def backbone(self) -> Any:
        """What the model has below its head."""
        return backbone(self.model)

    def forward(self, tokens: Tensor, loss_mask: Tensor, temperature: float) -> Tensor:
        """Return (B, T) log-probabilities of the masked tokens, 0 elsewhere.

        tokens: (B, T+1), loss_mask: (B, T), of what follows. Only the masked tokens go through the
        vocabulary head, LOGIT_BUDGET logits at a time.
        """
        with forward_pass(self.precision, tokens.device):
            hidden = self.backbone(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
            chosen = token_logps(
                hidden[loss_mask],
                self.head.weight,
                tokens[:, 1:][loss_mask],
                bias=self.head.bias,
                finish=self.head.finish,
                temperature=temperature,
            )
        logps = torch.zeros(loss_mask.shape, dtype=torch.float32, device=hidden.device)
        return logps.masked_scatter(loss_mask, chosen)
