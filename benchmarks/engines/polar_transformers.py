"""A loop over transformers' classifier: `batch` rows a pass, padded on the right."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from uniapl_cli.discriminators.polar.polar import PolarModel
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.types import Comparison


class Loop:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        load = AutoModelForSequenceClassification.from_pretrained
        self.model = load(job["model"], dtype=torch.float32).eval()
        # Only its `encode` is used: what a text becomes is no part of the comparison.
        self.format = PolarModel(self.model, load_tokenizer(job["model"]))
        self.rows = [Comparison(*row) for row in job["comparisons"]]
        self.batch, self.by_length = job["batch"], job.get("by_length", False)
        self.score(self.rows[:8])

    def __call__(self) -> dict[str, Any]:
        scores = self.score(self.rows)
        return {"value": sum(scores) / len(scores)}

    @torch.inference_mode()
    def score(self, rows: list[Comparison]) -> list[float]:
        """Return the scores, in the order in which they were computed."""
        ids = [self.format.encode(row) for row in rows]
        if self.by_length:
            ids.sort(key=len)
        scores: list[float] = []
        for start in range(0, len(ids), self.batch):
            part = ids[start : start + self.batch]
            lengths = torch.tensor([len(row) for row in part])
            width = int(lengths.max())
            tokens = torch.tensor([row + [0] * (width - len(row)) for row in part])
            mask = (torch.arange(width) < lengths[:, None]).long()
            hidden = self.model.model(
                input_ids=tokens, attention_mask=mask, use_cache=False
            ).last_hidden_state
            last = hidden[torch.arange(len(part)), lengths - 1]
            scores += self.model.score(last).squeeze(1).tolist()
        return scores


def load(job: dict[str, Any]) -> Loop:
    return Loop(job)
