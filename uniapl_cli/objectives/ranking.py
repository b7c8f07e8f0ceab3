"""Ranking: what a discriminator is trained with."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from uniapl_cli.batches import PairBatch
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenLoss


@objectives.register("bradley_terry")
def bradley_terry(scores: Tensor, batch: PairBatch) -> TokenLoss:
    """-log sigmoid(better - worse). scores: (B, 2). POLAR, eq. 7. Equal scores cost 0.6931."""
    margin = (scores[:, 0] - scores[:, 1]).unsqueeze(1)
    return TokenLoss(-F.logsigmoid(margin), {"accuracy": (margin > 0).float(), "margin": margin})
