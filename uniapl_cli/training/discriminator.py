"""A discriminator in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from uniapl_cli.batches import PairBatch
from uniapl_cli.discriminators.scalar import ScalarModel
from uniapl_cli.precision import Precision
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.readings import Reading
from uniapl_cli.training.scorer import PairScorer


class TrainableDiscriminator:
    """A classifier with one label in training: PairBatch -> scores (B, 2)."""

    def __init__(
        self,
        scalar: ScalarModel,
        device: str,
        precision: Precision = "auto",
        *,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        # Dropout is off, so a resumed run needs no random state to give the same weights.
        self.model = scalar.model.to(device).eval()
        self.tokenizer = scalar.tokenizer
        self.device: torch.device = self.model.device
        self.net = PairScorer(scalar, precision)
        ranks.wrap(self.net, self.net.units)

    def forward(self, batch: PairBatch) -> Tensor:
        """Return (B, 2) scores."""
        scores: Tensor = self.net(batch)
        return scores

    def forward_with(
        self, batch: PairBatch, readings: Sequence[Reading]
    ) -> tuple[Tensor, Mapping[Reading, Tensor]]:
        """Raise TypeError: scores are all that there is."""
        raise TypeError("a discriminator gives nothing but scores")
