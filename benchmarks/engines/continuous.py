"""transformers' continuous batching: a paged cache, rows admitted as others finish."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

# Pages hold 256 tokens, so a request of this job takes two at most and all find room.
OPTIONS = {"num_blocks": 128, "max_batch_tokens": 2048, "max_requests_per_batch": 64}


class Continuous:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        dtype = getattr(torch, job["dtype"])
        self.model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype).eval()
        self.model.generation_config.eos_token_id = -1
        self.sampling = GenerationConfig(
            do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=-1, pad_token_id=0
        )
        self.config = ContinuousBatchingConfig(**OPTIONS, return_logprobs=True, seed=0)
        self.requests = job["requests"]
        self(self.requests[:8])

    @torch.no_grad()
    def __call__(self, requests: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        requests = self.requests if requests is None else requests
        lengths = {}
        with self.model.continuous_batching_context_manager(
            generation_config=self.sampling, continuous_batching_config=self.config
        ) as manager:
            for number, request in enumerate(requests):
                limit = request["new_tokens"]
                manager.add_request(request["prompt_ids"], str(number), max_new_tokens=limit)
            while len(lengths) < len(requests):
                result = manager.get_result(timeout=1)
                if result is not None and result.is_finished():
                    lengths[int(result.request_id)] = len(result.generated_tokens)
                elif result is None and not manager.is_running():
                    break  # its thread failed, and said so in its log
        return {"value": sum(lengths.values())}


def load(job: dict[str, Any]) -> Continuous:
    return Continuous(job)
