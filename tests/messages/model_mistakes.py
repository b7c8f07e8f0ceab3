"""Models of architectures that cannot be trained, or not sampled from, right."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from command_mistakes import train
from mistake import KEYED, Mistake, of_command

from uniapl_cli.tiny.assets import resolve

SIZES = {"pad_token_id": 0, "vocab_size": 1024, "hidden_size": 16, "num_hidden_layers": 1}
STATE = {"num_heads": 4, "head_dim": 8, "state_size": 4, "n_groups": 1, "expand": 2}
HEADS = {"num_attention_heads": 2, "intermediate_size": 16}
ENCODER = {"vocab_size": 1024, "d_model": 16, "d_ff": 16, "d_kv": 8, "num_heads": 2}
GRPO = "discriminator.path=tiny:polar sources.rollouts.prompts_per_step=1"
# what it is -> the method, the Auto class, the model's type and its config
MODELS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "a model that keeps its state elsewhere": (
        "grpo",
        "AutoModelForCausalLM",
        "mamba2",
        {**SIZES, **STATE, "initializer_range": 0.2},
    ),
    "a model with another kind of head": (
        "sft",
        "AutoModelForCausalLM",
        "modernbert-decoder",
        {**SIZES, **HEADS},
    ),
    "an encoder with a decoder": ("sft", "AutoModelForSeq2SeqLM", "t5", ENCODER),
    "soft-capped attention by sdpa": (
        "sft",
        "AutoModelForCausalLM",
        "gemma2",
        {**SIZES, **HEADS, "num_key_value_heads": 1, "head_dim": 8},
    ),
}


def start_from(method: str, auto: str, kind: str, settings: dict[str, Any]) -> None:
    """Train from a tiny random model, beside the embedded world's tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **settings)
    shutil.copytree(resolve("tiny:base"), "model")
    Path("model/model.safetensors").unlink()
    getattr(transformers, auto).from_config(config).save_pretrained("model")
    sdpa = "model.attention=sdpa" if kind == "gemma2" else ""
    more = GRPO if method == "grpo" else ""
    of_command(train(method, f"model.path=model {sdpa} {more}")).provoke()


MISTAKES = {
    f"train, {what}": Mistake(partial(start_from, *model), (*KEYED, "got"))
    for what, model in MODELS.items()
}
