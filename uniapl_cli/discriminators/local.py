"""What discriminators in this process share: options, loading, padding, what is too long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.chat import first_line, read_model_config
from uniapl_cli.discriminators.discriminator import DiscriminatorOptions
from uniapl_cli.errors import ModelError
from uniapl_cli.options import key
from uniapl_cli.precision import Dtype, weights


class LocalDiscriminator(DiscriminatorOptions):
    """What a config may set of a discriminator that is loaded into this process."""

    dtype: Dtype = key("auto", "of the weights: auto is float32 on CPU, bfloat16 on CUDA")
    attention: str = key("sdpa", "implementation: sdpa, eager, flash_attention_2")
    batch_tokens: int = key(16384, "tokens one scoring batch may hold", ge=1, may_change=True)

    def look(self, path: str) -> None:
        """Read the model's config.json. Raises ModelError."""
        read_model_config(path, self.revision)

    def load(self, kind: Any, path: str | Path, device: str) -> Any:
        """Load a model by one of transformers' Auto classes, for inference. Raises ModelError."""
        dtype = weights(self.dtype, device, trained=False)
        return load_frozen(kind, path, device, dtype, self.attention, self.revision)


def load_frozen(
    kind: Any,
    path: str | Path,
    device: str,
    dtype: torch.dtype,
    attention: str = "sdpa",
    revision: str | None = None,
) -> Any:
    """Load a model by one of transformers' Auto classes, for inference. Raises ModelError.

    All its weights must be in the folder: what is made up at random would score at random.
    """
    try:
        model, found = kind.from_pretrained(
            path,
            trust_remote_code=False,
            dtype=dtype,
            attn_implementation=attention,
            revision=revision,
            output_loading_info=True,
        )
    except Exception as error:
        # A damaged file makes safetensors and torch raise errors of their own kinds.
        raise ModelError(f"cannot load '{path}': {first_line(error)}", got=path) from error
    if missing := sorted(found["missing_keys"]):
        lacks = f"it lacks the weights {', '.join(missing[:3])}"
        raise ModelError(f"cannot load '{path}': {lacks}", got=missing)
    return model.to(device).eval().requires_grad_(False)


def padded(rows: Sequence[Sequence[int]], pad: int, device: str) -> tuple[Tensor, Tensor]:
    """Return (R, L) ids padded on the right and the (R, L) mask of those that count."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids.to(device), mask.to(device)


def refuse_overlong(ids: Sequence[str], rows: Sequence[Sequence[int]], context: int | None) -> None:
    """Raise ModelError, with the comparison's id, for the first row that the model cannot hold."""
    for id, row in zip(ids, rows, strict=True):
        if context is not None and len(row) > context:
            raise ModelError(
                f"{len(row)} tokens to score exceed the discriminator's context of {context}",
                "Shorten the response",
                where=id,
                got=len(row),
            )


def refuse_nonfinite(ids: Sequence[str], scores: Sequence[float]) -> None:
    """Raise ModelError, with the comparison's id, for the first score that is no number."""
    for id, score in zip(ids, scores, strict=True):
        if not math.isfinite(score):
            raise ModelError(f"the discriminator's score is {score}", where=id, got=score)
