"""Models by name, and Qwen3-0.6B's shape with random weights."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from uniapl_cli.tiny.assets import resolve

QWEN3 = {
    "vocab_size": 151936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}


def save_random_qwen3(folder: Path, tokenizer: str) -> None:
    """Save a model of Qwen3-0.6B's shape in bfloat16, with the tokenizer of another folder."""
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**QWEN3, dtype=torch.bfloat16))
    model = model.to(torch.bfloat16).to_empty(device="cpu")
    torch.manual_seed(0)
    for weight in model.parameters():
        weight.data.normal_(0, 0.02) if weight.dim() > 1 else weight.data.fill_(1)
    model.tie_weights()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)


@contextlib.contextmanager
def named(model: str) -> Iterator[str]:
    """Give the model that a benchmark's argument names: `qwen3` is made, and deleted again."""
    if model != "qwen3":
        yield model
        return
    with tempfile.TemporaryDirectory() as folder:
        save_random_qwen3(Path(folder), str(resolve("tiny:base")))
        yield folder
