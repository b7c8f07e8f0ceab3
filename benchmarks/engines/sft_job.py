"""The batch of a step of SFT: rows of this project's own prose, a quarter of each a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from uniapl_cli.tensors import TokenBatch


def read_batch(job: dict[str, Any], tokenizer: Any) -> TokenBatch:
    """Return `rows` rows of `width` predicted tokens, all of one length."""
    rows, width = job["rows"], job["width"]
    pages = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
    ids = tokenizer.encode("".join(page.read_text("utf-8") for page in pages))
    length = rows * (width + 1)
    tokens = torch.tensor((ids * (1 + length // len(ids)))[:length]).view(rows, width + 1)
    return TokenBatch(tokens, (torch.arange(width) >= width // 4).repeat(rows, 1))


def labelled(batch: TokenBatch) -> list[dict[str, list[int]]]:
    """Return the rows as transformers and TRL take them: no loss on the prompt."""
    labels = batch.tokens[:, 1:].masked_fill(~batch.loss_mask, -100)
    labels = torch.cat([torch.full_like(labels[:, :1], -100), labels], 1)
    pairs = zip(batch.tokens.tolist(), labels.tolist(), strict=True)
    return [{"input_ids": ids, "labels": of} for ids, of in pairs]
