"""Random checkpoints as POLAR's authors lay theirs out, with the tokenizer of tiny:polar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from uniapl_cli.tiny.assets import resolve

INNER, LAYERS, HEADS, KEYS = 48, 2, 4, 2


def official(folder: Path, hidden: int = 32) -> None:
    """Make one; `hidden` is four heads wide."""
    from uniapl_cli.loading import load_tokenizer

    folder.mkdir()
    tokenizer = load_tokenizer(resolve("tiny:polar"))
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    added = {str(id): {"content": str(t)} for id, t in tokenizer.added_tokens_decoder.items()}
    write(folder / "tokenizer_config.json", {"added_tokens_decoder": added})
    write(folder / "config.json", official_config(tokenizer, hidden))
    save_file(official_state(len(tokenizer), hidden), folder / "model.safetensors")


def official_config(tokenizer: Any, hidden: int) -> dict[str, Any]:
    return {
        "architectures": ["InternLM2ForRewardModel"],
        "model_type": "internlm2",
        "hidden_size": hidden,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEYS,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000,
        "reward_token_id": tokenizer.convert_tokens_to_ids("<|score|>"),
        "bias": False,
    }


def official_state(words: int, hidden: int) -> dict[str, torch.Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        "model.tok_embeddings": (words, hidden),
        "model.norm": (hidden,),
        "v_head": (1, hidden),
    }
    for layer in range(LAYERS):
        inside = {
            "attention.wqkv": ((HEADS + 2 * KEYS) * hidden // HEADS, hidden),
            "attention.wo": (hidden, hidden),
            "feed_forward.w1": (INNER, hidden),
            "feed_forward.w3": (INNER, hidden),
            "feed_forward.w2": (hidden, INNER),
            "attention_norm": (hidden,),
            "ffn_norm": (hidden,),
        }
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in inside.items()}
    rng = torch.Generator().manual_seed(0)
    return {f"{name}.weight": torch.randn(*s, generator=rng) / 8 for name, s in shapes.items()}


def write(file: Path, values: Any) -> None:
    file.write_text(json.dumps(values))
