"""Small folders of models: of transformers, of the official POLAR layout, and adapters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from uniapl_cli.tiny.assets import resolve

HIDDEN, INNER, LAYERS, HEADS, KEYS = 32, 48, 2, 4, 2


def tiny(name: str, folder: Path) -> None:
    """Copy one of the package's models."""
    shutil.copytree(resolve(name), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)


def official(folder: Path) -> None:
    """Make a random checkpoint as POLAR's authors lay theirs out."""
    from uniapl_cli.loading import load_tokenizer

    folder.mkdir()
    tokenizer = load_tokenizer(resolve("tiny:polar"))
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    added = {str(id): {"content": str(t)} for id, t in tokenizer.added_tokens_decoder.items()}
    write(folder / "tokenizer_config.json", {"added_tokens_decoder": added})
    write(folder / "config.json", official_config(tokenizer))
    save_file(official_state(len(tokenizer)), folder / "model.safetensors")


def official_config(tokenizer: Any) -> dict[str, Any]:
    return {
        "architectures": ["InternLM2ForRewardModel"],
        "model_type": "internlm2",
        "hidden_size": HIDDEN,
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


def official_state(words: int) -> dict[str, torch.Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        "model.tok_embeddings": (words, HIDDEN),
        "model.norm": (HIDDEN,),
        "v_head": (1, HIDDEN),
    }
    for layer in range(LAYERS):
        inside = {
            "attention.wqkv": ((HEADS + 2 * KEYS) * HIDDEN // HEADS, HIDDEN),
            "attention.wo": (HIDDEN, HIDDEN),
            "feed_forward.w1": (INNER, HIDDEN),
            "feed_forward.w3": (INNER, HIDDEN),
            "feed_forward.w2": (HIDDEN, INNER),
            "attention_norm": (HIDDEN,),
            "ffn_norm": (HIDDEN,),
        }
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in inside.items()}
    rng = torch.Generator().manual_seed(0)
    return {f"{name}.weight": torch.randn(*s, generator=rng) / 8 for name, s in shapes.items()}


def adapter(folder: Path) -> None:
    """Make a LoRA adapter of tiny:base with the tokenizer beside it, as hubs hold them."""
    from peft import LoraConfig, get_peft_model

    from uniapl_cli.training.policy import load_model

    base = load_model(resolve("tiny:base"), "cpu")
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    write(
        folder / "adapter_config.json",
        {**settings, "base_model_name_or_path": resolve("tiny:base")},
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(Path(resolve("tiny:base")) / name, folder / name)


def write(file: Path, values: Any) -> None:
    file.write_text(json.dumps(values))
