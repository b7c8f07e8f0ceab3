"""The teacher's responses, to be imitated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from uniapl_cli.data.collate import pad_rows
from uniapl_cli.errors import DataError
from uniapl_cli.options import Count, key
from uniapl_cli.rewards import check_examples
from uniapl_cli.sources.source import (
    Parts,
    SourceBatch,
    SourceOptions,
    StepContext,
    refuse_next_turns,
    sources,
)
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Example


@sources.register(
    "demonstrations",
    batch=TokenBatch,
    stream="demonstrations",
    answers=("response",),
    facts=("expert",),
)
class DemonstrationsOptions(SourceOptions):
    """The teacher's responses to the prompts of data.demonstrations."""

    rows_per_step: Count = key(32, "demonstrations a step")

    def per_step(self) -> int:
        """Return how many demonstrations a step takes."""
        return self.rows_per_step

    def check(self, examples: Sequence[Example], why: str) -> None:
        """Refuse examples without a response by the teacher to their prompt. Raises DataError."""
        check_examples(examples, {"teacher"}, why)
        refuse_next_turns(examples, why)

    def make(self, name: str, parts: Parts) -> Demonstrations:
        """Return the source."""
        return Demonstrations(self.stream, parts.chat.tokenizer.pad_token_id or 0)


@dataclass(frozen=True)
class Demonstrations:
    """Batches of Encoded examples' responses."""

    stream: str
    pad_id: int

    def draw(self, context: StepContext) -> SourceBatch:
        """Collate the demonstrations; the mask covers each response and its stop token."""
        pairs = []
        for item in context.items:
            if item.response is None:
                raise DataError("there is no response to imitate", where=item.example.origin)
            pairs.append((item.prompt, item.response))
        lengths = [len(response) for _, response in pairs]
        metrics = {"completions/mean_length": sum(lengths) / len(lengths)}
        known = {"expert": torch.ones(len(pairs), dtype=torch.bool)}
        return SourceBatch(TokenBatch(*pad_rows(pairs, self.pad_id), known=known), metrics)
