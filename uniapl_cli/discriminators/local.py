"""What discriminators in this process share: options, loading, what input they refuse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from uniapl_cli.discriminators.discriminator import DiscriminatorOptions
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import load_pretrained, read_model_config
from uniapl_cli.options import key
from uniapl_cli.precision import Precision
from uniapl_cli.reasons import within_memory


class LocalDiscriminator(DiscriminatorOptions):
    """What a config may set of a discriminator that is loaded into this process."""

    attention: str = key(
        "auto", "implementation: sdpa, eager, ...; auto is sdpa where the model has it"
    )
    batch_tokens: int = key(16384, "tokens one scoring batch may hold", ge=1, may_change=True)

    def look(self, path: str) -> None:
        """Read the model's config.json. Raises ModelError."""
        read_model_config(path, self.revision)

    def load(self, auto: str, path: str | Path, device: str, precision: Precision) -> Any:
        """Load a model by one of transformers' Auto classes, for inference. Raises ModelError."""
        return load_pretrained(
            auto,
            path,
            device,
            dtype=torch.float32,
            precision=precision,
            frozen=True,
            attention=self.attention,
            revision=self.revision,
        )


def scoring(batch_tokens: int) -> AbstractContextManager[None]:
    """Name the key to lower where memory is refused within the block."""
    return within_memory(
        lambda: f"in scoring, with {batch_tokens:,} tokens a batch", "discriminator.batch_tokens"
    )


def refuse_overlong(ids: Sequence[str], rows: Sequence[Sequence[int]], context: int | None) -> None:
    """Raise ModelError, with the comparison's id, for the first row longer than the context."""
    for id, row in zip(ids, rows, strict=True):
        if context is not None and len(row) > context:
            raise ModelError(
                f"{len(row)} tokens to score exceed the discriminator's context of {context}",
                "Shorten the response",
                where=id,
                got=len(row),
            )


def refuse_nonfinite(ids: Sequence[str], scores: Sequence[float]) -> None:
    """Raise ModelError, with the comparison's id, for the first score that is not finite."""
    for id, score in zip(ids, scores, strict=True):
        if not math.isfinite(score):
            raise ModelError(f"the discriminator's score is {score}", where=id, got=score)
