"""vLLM for CPU, through its class LLM: no server, so nothing is spent on HTTP."""

from __future__ import annotations

import os
from typing import Any

# Read when vllm is imported. The key-value space is the one of the README's server.
os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")


class Vllm:
    def __init__(self, job: dict[str, Any]) -> None:
        from vllm import LLM, SamplingParams, TokensPrompt

        self.llm = LLM(
            model=job["model"],
            dtype=job["dtype"],
            max_model_len=1024,
            max_num_seqs=128,
            # Above any prefill: a prompt that is prefilled in pieces ends the engine on CPUs.
            max_num_batched_tokens=8192,
            enforce_eager=True,
            enable_prefix_caching=False,  # a prompt of an earlier round is computed again
            disable_log_stats=True,
            seed=0,
        )
        self.prompts = [TokensPrompt(prompt_token_ids=r["prompt_ids"]) for r in job["requests"]]
        self.sampling = [
            SamplingParams(
                temperature=1.0,
                max_tokens=r["new_tokens"],
                min_tokens=r["new_tokens"],
                ignore_eos=True,
                logprobs=0,  # that of the drawn token, as training needs it
            )
            for r in job["requests"]
        ]
        self(8)

    def __call__(self, first: int | None = None) -> dict[str, Any]:
        outputs = self.llm.generate(self.prompts[:first], self.sampling[:first], use_tqdm=False)
        return {"value": sum(len(output.outputs[0].token_ids) for output in outputs)}


def load(job: dict[str, Any]) -> Vllm:
    return Vllm(job)
