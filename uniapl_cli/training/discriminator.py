"""A discriminator in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from uniapl_cli.batches import PairBatch
from uniapl_cli.discriminators.batches import batches
from uniapl_cli.discriminators.scalar import ScalarModel
from uniapl_cli.precision import Precision, forward_pass
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.readings import Reading
from uniapl_cli.reasons import within_memory
from uniapl_cli.tensors import pad_ids
from uniapl_cli.training.retry import KEY
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
        self.scalar, self.precision = scalar, precision
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

    @torch.no_grad()
    def score(self, rows: Sequence[Sequence[int]], tokens: int) -> list[float]:
        """Return one score a row of token ids, of `tokens` padded tokens a pass or of one row.

        Only where each rank holds all weights, for the passes of ranks are not counted.
        """
        scores = [0.0] * len(rows)
        for indices in batches(range(len(rows)), [len(row) for row in rows], tokens):
            ids, mask = pad_ids([rows[index] for index in indices])
            held = within_memory(lambda: f"in scoring, with {tokens:,} tokens a pass", KEY)
            with held, forward_pass(self.precision, self.device):
                found = self.scalar.scores(ids.to(self.device), mask.sum(1).to(self.device))
            for index, score in zip(indices, found.tolist(), strict=True):
                scores[index] = score
        return scores
