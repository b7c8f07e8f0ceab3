"""The model's own forward and backward pass on the batch of SFT: no update, no bookkeeping."""

from __future__ import annotations

import time
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.engines.sft_job import labelled, peak_gib, read_batch


class Module:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.steps = job["steps"]
        self.model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
        examples = labelled(read_batch(job, AutoTokenizer.from_pretrained(job["model"])))
        self.rows = {name: torch.tensor([e[name] for e in examples]) for name in examples[0]}
        self.micro = job["module_rows"]
        self.step()

    def __call__(self) -> dict[str, Any]:
        seconds = []
        for _ in range(self.steps):
            began = time.process_time()
            loss = self.step()
            seconds.append(time.process_time() - began)
        return {"step_seconds": seconds, "loss": loss, "peak_gib": peak_gib()}

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
