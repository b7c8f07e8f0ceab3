"""Random models of real sizes, made on the device: no weights travel and no disk is read."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from benchmarks.gpu.bench import Bench
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve

PEAK_FLOPS = 989e12  # dense bf16 of an H100 SXM and of an H200, by the datasheet
QWEN3_06B = {
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
    "vocab_size": 151936,
}
SMALL_QWEN = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 192,
    "vocab_size": 4096,
}
POLAR_18B = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 92544,
}
SMALL_POLAR = {
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1024,
}


def tokenizer(name: str = "tiny:base") -> Any:
    """Return a shipped tokenizer."""
    return load_tokenizer(resolve(name))


def random_qwen(bench: Bench) -> Any:
    """Return a random model of Qwen3-0.6B's shape, float32, as a policy is trained."""
    ends = tokenizer()
    config = Qwen3Config(
        **bench.pick(QWEN3_06B, SMALL_QWEN),
        max_position_embeddings=40960,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        tie_word_embeddings=True,
        eos_token_id=ends.eos_token_id,
        pad_token_id=ends.pad_token_id,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    with torch.device(bench.device):
        model = Qwen3ForCausalLM(config)
    model.tie_weights()
    return model.to(bench.device).eval()


def random_polar(bench: Bench) -> tuple[Any, Any]:
    """Return a random model of POLAR-1.8B's shape, in CUDA's bfloat16, and a tokenizer."""
    words = tokenizer("tiny:polar")
    config = LlamaConfig(
        **bench.pick(POLAR_18B, SMALL_POLAR),
        max_position_embeddings=32768,
        num_labels=1,
        pad_token_id=words.pad_token_id,
        attn_implementation="sdpa",
    )
    config.separator_token_id, config.reward_token_id = words.convert_tokens_to_ids(
        ["<|reward|>", "<|score|>"]
    )
    torch.manual_seed(0)
    with torch.device(bench.device):
        model = LlamaForSequenceClassification(config)
    model = model.to(torch.bfloat16 if bench.cuda else torch.float32)
    torch.nn.init.normal_(model.score.weight, std=0.5)
    return model, words


def random_prompts(bench: Bench, count: int, length: int) -> list[tuple[int, ...]]:
    """Return prompts of random ids, none of them a special one."""
    rng = torch.Generator().manual_seed(count)
    high = bench.pick(150000, 4000)
    ids = torch.randint(1100, high, (count, length), generator=rng)
    return [tuple(row) for row in ids.tolist()]


def step_flops(model: Any, rows: int, width: int, counted: int) -> float:
    """Return the operations of a forward and a backward pass, attention causal.

    `counted` tokens of rows * width go through the head.
    """
    head = model.get_output_embeddings().weight
    total = sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())
    tied = head is model.get_input_embeddings().weight
    layers = total - head.numel() * (1 if tied else 2)
    config = model.config
    attention = 6 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * width
    return float(rows * width * (6 * layers + attention) + 6 * head.numel() * counted)
