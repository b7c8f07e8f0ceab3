"""What every engine is asked to do: requests.jsonl, encoded for a model, and what that takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from uniapl_cli.tiny.assets import resolve

REQUESTS = Path(__file__).parents[1] / "requests.jsonl"


@dataclass(frozen=True)
class Job:
    """The requests, encoded, and what they take. model: a folder."""

    model: str
    requests: list[dict[str, Any]]
    gflop: float

    @property
    def tokens(self) -> int:
        """The new tokens of all requests."""
        return sum(self.lengths)

    @property
    def lengths(self) -> list[int]:
        """The new tokens of each request."""
        return [request["new_tokens"] for request in self.requests]


def read_job(model: str, count: int | None) -> Job:
    """Return the first `count` requests for a model."""
    model = str(resolve(model))
    tokenizer = AutoTokenizer.from_pretrained(model)
    requests = []
    for line in REQUESTS.read_text("utf-8").splitlines()[:count]:
        row = json.loads(line)
        messages = [{"role": "user", "content": row["prompt"]}]
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        requests.append({"prompt_ids": ids, "new_tokens": row["new_tokens"]})
    gflop = operations(AutoConfig.from_pretrained(model), requests) / 1e9
    return Job(model, requests, gflop)


def operations(config: Any, requests: list[dict[str, Any]]) -> float:
    """Return the operations of all matrix products: two a weight and token, and attention's.

    The head is applied where a token is drawn only. Embeddings are looked up, which is no product.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    layers = sum(module.weight.numel() for module in linear if module is not head)
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    total = 0.0
    for request in requests:
        new = request["new_tokens"]
        fed = len(request["prompt_ids"]) + new - 1
        total += 2 * fed * layers + 2 * new * head.weight.numel()
        total += 4 * config.num_hidden_layers * width * fed * (fed + 1) / 2
    return total
