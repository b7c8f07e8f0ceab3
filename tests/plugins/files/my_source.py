"""A source with its own stream and its own batch, and the objective that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor

from uniapl_cli import (
    Batch,
    Parts,
    SourceBatch,
    SourceOptions,
    StepContext,
    TokenBatch,
    TokenLoss,
    key,
    register_objective,
    register_source,
)


@dataclass(frozen=True)
class SentenceBatch(Batch):
    """Whole sentences, and how much each counts. texts: no prompt. importance: (B, 1)."""

    texts: TokenBatch
    importance: Tensor

    @property
    def loss_mask(self) -> Tensor:
        """(B, T) bool: the tokens that count."""
        return self.texts.loss_mask

    def row_lengths(self) -> Tensor:
        """Return (B,): the tokens of each sentence."""
        return self.texts.row_lengths()

    def take(self, rows: Tensor) -> SentenceBatch:
        """Return the sentences of these indices."""
        return SentenceBatch(self.texts.take(rows), self.importance[rows])

    def to(self, device: torch.device) -> SentenceBatch:
        """Return the batch on `device`."""
        return SentenceBatch(self.texts.to(device), self.importance.to(device))

    def model_input(self) -> Batch:
        """Return what the model reads of the batch."""
        return self.texts


@register_source("sentences", batch=SentenceBatch, stream="sentences")
class SentencesOptions(SourceOptions):
    """Sentences that a config lists, to be learned by heart."""

    texts: list[str] = key(["The harbour is old."], "the sentences", min_length=1)
    texts_per_step: PositiveInt = key(2, "sentences a step")

    def per_step(self) -> int:
        """Return how many sentences a step takes."""
        return self.texts_per_step

    def items(self) -> Sequence[str]:
        """Return the sentences."""
        return self.texts

    def make(self, name: str, parts: Parts) -> Sentences:
        """Return the source."""
        return Sentences(self.stream, parts.chat)


@dataclass(frozen=True)
class Sentences:
    """Batches of sentences; the longer ones count for more."""

    stream: str
    chat: Any

    def draw(self, context: StepContext) -> SourceBatch:
        """Encode the sentences of a step."""
        rows = [torch.tensor(self.chat.response_ids(text)) for text in context.items]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([[float(len(row))] for row in rows])
        mask = torch.arange(1, tokens.shape[1]) < lengths
        return SourceBatch(SentenceBatch(TokenBatch(tokens, mask), lengths / lengths.mean()))


@register_objective("by_heart")
def by_heart(logps: Tensor, batch: SentenceBatch) -> TokenLoss:
    """-log p, times the sentence's importance. logps: (B, T)."""
    return TokenLoss(-logps * batch.importance)
