"""The model's own forward and backward pass on the batch of SFT: no update, no bookkeeping."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.engines.laps import Laps
from benchmarks.engines.sft_job import labelled, read_batch
from uniapl_cli.tiny.assets import resolve


class Module:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.steps, self.laps, model = job["steps"], Laps(), resolve(job["model"])
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        examples = labelled(read_batch(job, AutoTokenizer.from_pretrained(model)))
        self.rows = {name: torch.tensor([e[name] for e in examples]) for name in examples[0]}
        self.micro = job["rows_a_pass"]
        self.step()

    def __call__(self) -> dict[str, Any]:
        for _ in range(self.steps):
            self.laps.begin()
            loss = self.step()
            self.laps.end()
        return {**self.laps.figures(), "value": loss}

    def step(self) -> float:
        """Go forward and back, some rows at a time; return the mean loss."""
        self.model.zero_grad()
        parts = [value.split(self.micro) for value in self.rows.values()]
        losses = []
        for ids, labels in zip(*parts, strict=True):
            loss = self.model(input_ids=ids, labels=labels, use_cache=False).loss / len(parts[0])
            loss.backward()
            losses.append(loss.item())
        return sum(losses)


def load(job: dict[str, Any]) -> Module:
    return Module(job)
