"""transformers' `generate`: batches of 16, in the order of their prompts' lengths.

A batch runs to its longest response. With `oracle` the batches are in the order of the lengths to
come, which nobody knows before.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM

ROWS = 16


class Generate:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        dtype = getattr(torch, job["dtype"])
        self.model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype).eval()
        self.model.generation_config.eos_token_id = None
        self.pad = self.model.generation_config.pad_token_id or 0
        self.requests = job["requests"]
        self.oracle = job.get("oracle", False)
        self(self.requests[:8])

    @torch.inference_mode()
    def __call__(self, requests: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        requests = self.requests if requests is None else requests

        def size(number: int) -> int:
            request = requests[number]
            return request["new_tokens"] if self.oracle else len(request["prompt_ids"])

        order = sorted(range(len(requests)), key=size, reverse=True)
        tokens = 0
        for start in range(0, len(order), ROWS):
            batch = order[start : start + ROWS]
            made = self.batch([requests[number] for number in batch])
            tokens += sum(min(made, requests[n]["new_tokens"]) for n in batch)
        return {"value": tokens}

    def batch(self, requests: list[dict[str, Any]]) -> int:
        """Answer a batch; return how many tokens each of its rows got."""
        prompts = [request["prompt_ids"] for request in requests]
        width = max(map(len, prompts))
        ids = torch.tensor([[self.pad] * (width - len(row)) + row for row in prompts])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
        output = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=max(request["new_tokens"] for request in requests),
        )
        return output.shape[1] - width


def load(job: dict[str, Any]) -> Generate:
    return Generate(job)
