"""A plug-in: a source, an objective and a reward function, which recital.yaml makes a method of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from uniapl_cli import (
    Parts,
    Rollout,
    SourceBatch,
    SourceOptions,
    StepContext,
    TokenBatch,
    TokenLoss,
    key,
    register_objective,
    register_reward_function,
    register_source,
)


@register_source("recital", batch=TokenBatch, stream="recital")
class RecitalOptions(SourceOptions):
    """Sentences that the experiment lists, to be learned by heart."""

    texts: list[str] = key(["The harbour is old."], "the sentences", min_length=1)
    texts_per_step: int = key(2, "sentences a step", ge=1)

    def per_step(self) -> int:
        """Return how many sentences a step takes."""
        return self.texts_per_step

    def items(self) -> Sequence[str]:
        """Return all sentences; the stream shuffles and repeats them."""
        return self.texts

    def make(self, name: str, parts: Parts) -> Recital:
        """Return the source."""
        return Recital(self.stream, parts.chat)


@dataclass(frozen=True)
class Recital:
    """Batches of sentences without a prompt."""

    stream: str
    chat: Any

    def draw(self, context: StepContext) -> SourceBatch:
        """Encode the sentences of a step. The mask leaves out the padding."""
        rows = [torch.tensor(self.chat.response_ids(text)) for text in context.items]
        tokens = pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([[len(row)] for row in rows])
        mask = torch.arange(1, tokens.shape[1]) < lengths
        return SourceBatch(TokenBatch(tokens, mask), {"mean_length": float(lengths.float().mean())})


@register_objective("cautious")
def cautious(logps: Tensor, batch: TokenBatch, *, gamma: float = 2.0) -> TokenLoss:
    """-(1 - p)^gamma log p, the factor held constant. logps: (B, T). p = 0.5 costs 0.1733."""
    factor = (1 - logps.detach().exp()) ** gamma
    return TokenLoss(-factor * logps, {"factor": factor})


@register_reward_function("question")
def question(rollouts: Sequence[Rollout], *, mark: str = "?") -> list[float]:
    """1 where the response ends with `mark`."""
    return [float(rollout.completion.text.rstrip().endswith(mark)) for rollout in rollouts]
