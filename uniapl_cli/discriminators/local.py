"""What discriminators in this process share: loading, padding, what is too long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.chat import first_line
from uniapl_cli.errors import ModelError


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
        raise ModelError(f"cannot load '{path}': {first_line(error)}") from error
    if missing := sorted(found["missing_keys"]):
        raise ModelError(f"cannot load '{path}': it lacks the weights {', '.join(missing[:3])}")
    return model.to(device).eval().requires_grad_(False)


def padded(rows: Sequence[Sequence[int]], pad: int, device: str) -> tuple[Tensor, Tensor]:
    """Return (R, L) ids padded on the right and the (R, L) mask of those that count."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids.to(device), mask.to(device)


def refuse_overlong(ids: Sequence[str], rows: Sequence[Sequence[int]], context: int | None) -> None:
    """Raise ModelError, with the comparison's id, for the first row that the model cannot hold."""
    for name, row in zip(ids, rows, strict=True):
        if context is not None and len(row) > context:
            raise ModelError(
                f"{name}: {len(row)} tokens to score exceed the discriminator's context of "
                f"{context}; shorten the response"
            )
