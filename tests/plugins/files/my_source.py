"""A source with its own stream and its own batch, and the objective that takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor

from uniapl_cli.objectives import objectives
from uniapl_cli.options import key
from uniapl_cli.sources import Parts, SourceBatch, SourceOptions, StepContext, sources
from uniapl_cli.tensors import Batch, TokenBatch, TokenLoss


@dataclass(frozen=True)
class SentenceBatch(Batch):
    """Whole sentences, and how much each counts. texts: no prompt. importance: (B, 1)."""

    texts: TokenBatch
    importance: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, T) bool: the places that count."""
        return self.texts.mask

    def split(self, rows: int) -> Iterator[SentenceBatch]:
        """Yield micro-batches of at most `rows` rows."""
        for places in torch.arange(len(self.importance)).split(rows):
            yield SentenceBatch(self.texts.take(places), self.importance[places])

    def to(self, device: torch.device) -> SentenceBatch:
        """Return the batch on `device`."""
        return SentenceBatch(self.texts.to(device), self.importance.to(device))

    def model_input(self) -> Batch:
        """Return what the model reads of the batch."""
        return self.texts


@sources.register("sentences", batch=SentenceBatch, stream="sentences")
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


@objectives.register("by_heart")
def by_heart(logps: Tensor, batch: SentenceBatch) -> TokenLoss:
    """-log p, times the sentence's importance. logps: (B, T)."""
    return TokenLoss(-logps * batch.importance)
