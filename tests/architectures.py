"""Tiny random models of many families, for what must hold of any architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import transformers

from uniapl_cli.loading.models import attention_of

# Prompts are longer than the window, so a sampler that forgets to slide it is found out.
WINDOW = 8
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
}
EXPERTS = {"moe_intermediate_size": 16, "num_experts_per_tok": 2}
LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
}
DELTA = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
SLIDING = {
    "sliding_window": WINDOW,
    "layer_types": ["sliding_attention", "full_attention"],
}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_expand": 2}

# family -> the settings of its config.json beside SIZES; None takes one of those away.
FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "llama": {},
    "llama-tied": {"tie_word_embeddings": True},
    "mistral": {"sliding_window": WINDOW},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": WINDOW},
    "qwen2": {"use_sliding_window": True, "max_window_layers": 1, **SLIDING},
    "qwen3": {},
    "qwen3_moe": {"num_experts": 4, **EXPERTS},
    "qwen3_next": {"num_experts": 4, "shared_expert_intermediate_size": 16, **EXPERTS, **DELTA},
    "qwen3_5_text": DELTA,
    "gemma2": {"final_logit_softcapping": 5.0, "attn_logit_softcapping": 4.0, **SLIDING},
    "gemma3_text": SLIDING,
    "granite": {"logits_scaling": 4.0, "attention_multiplier": 0.2, "residual_multiplier": 0.5},
    "granitemoehybrid": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "shared_intermediate_size": 16,
        "layer_types": ["mamba", "attention"],
        "logits_scaling": 4.0,
        **MAMBA,
    },
    "cohere": {"logit_scale": 0.25, "use_qk_norm": True},
    "cohere2": {"logit_scale": 0.25, **SLIDING},
    "phi3": {"sliding_window": WINDOW},
    "olmo2": {},
    "olmo3": SLIDING,
    "gpt2": {},
    "gpt_neox": {"rotary_pct": 0.5},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "bamba": {"attn_layer_indices": [1], "mamba_n_groups": 1, **MAMBA},
    "falcon_h1": {"mamba_d_ssm": 64, "lm_head_multiplier": 0.5, **MAMBA},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "expand": 2},
    "nemotron_h": {
        "layers_block_type": ["mamba", "attention", "mlp"],
        "num_hidden_layers": None,
        "mamba_num_heads": 8,
        # Prefill raises smaller steps to it, decoding does not (transformers 5.23).
        "time_step_min": 1e-6,
        "mamba_head_dim": 8,
        "ssm_state_size": 8,
        "n_groups": 1,
    },
    "recurrent_gemma": {
        "logits_soft_cap": 5.0,
        "lru_width": 32,
        "attention_window_size": WINDOW,
        "block_types": ["recurrent", "attention"],
    },
    "smollm3": {"no_rope_layers": [1, 0]},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, **SLIDING},
    "deepseek_v2": {
        "n_routed_experts": 4,
        "n_group": 1,
        "topk_group": 1,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "topk_method": "greedy",
        **EXPERTS,
        **LATENT,
        "head_dim": None,
    },
    "deepseek_v3": {
        "n_routed_experts": 4,
        "n_group": 1,
        "topk_group": 1,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        **EXPERTS,
        **LATENT,
        "head_dim": None,
    },
    "glm4": {"partial_rotary_factor": 0.5},
    "starcoder2": {"sliding_window": WINDOW},
    "exaone4": SLIDING,
    "minicpm3": {"dim_model_base": 16, **LATENT},
    "bloom": {},
    "gemma4_text": {**SLIDING, "num_kv_shared_layers": 0, "hidden_size_per_layer_input": 0},
    "glm4_moe": {"n_routed_experts": 4, "n_group": 1, "topk_group": 1, **EXPERTS},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_offset": 1},
    "minimax_m2": {"num_local_experts": 4, **EXPERTS},
    "olmo_hybrid": DELTA,
    "olmoe": {"num_experts": 4, **EXPERTS},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "phi": {},
    "qwen3_5_moe_text": {
        "num_experts": 4,
        "shared_expert_intermediate_size": 16,
        **EXPERTS,
        **DELTA,
    },
    "stablelm": {},
}

VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
QWEN_VISION = {
    "depth": 1,
    "hidden_size": 16,
    "embed_dim": 16,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
    "num_position_embeddings": 16,
    "fullatt_block_indexes": [0],
    "deepstack_visual_indexes": [0],
}


def rotary(*sections: int) -> dict[str, Any]:
    """Return the rotation of Qwen's models of images, whose dimensions are shared out."""
    parameters = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": list(sections)}
    return {"rope_parameters": parameters}


# family -> the settings of its text beside SIZES, and those of its tower for images.
TOWERS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "gemma3": (SLIDING, {"vision_config": VISION, "mm_tokens_per_image": 4}),
    "gemma4": (
        {**SLIDING, "num_kv_shared_layers": 0, "hidden_size_per_layer_input": 0},
        {"vision_config": {**VISION, "head_dim": 8, "num_key_value_heads": 2}},
    ),
    "llama4": (
        {"num_local_experts": 2, "intermediate_size_mlp": 32},
        {
            "vision_config": {
                **VISION,
                "vision_output_dim": 16,
                "projector_input_dim": 16,
                "projector_output_dim": 16,
            }
        },
    ),
    "llava": (
        {"model_type": "llama"},
        {"vision_config": {**VISION, "model_type": "clip_vision_model"}},
    ),
    "mistral3": (
        {"model_type": "mistral"},
        {"vision_config": {**VISION, "model_type": "pixtral", "head_dim": 8}},
    ),
    "qwen2_5_vl": (rotary(1, 1, 2), {"vision_config": QWEN_VISION}),
    "qwen3_5": (DELTA, {"vision_config": QWEN_VISION}),
    "qwen3_vl": (rotary(2, 1, 1), {"vision_config": QWEN_VISION}),
    "smolvlm": ({"model_type": "llama"}, {"vision_config": VISION}),
}
ALL = (*FAMILIES, *TOWERS)
# They keep what they have read in arguments or modules of their own, not in the cache.
NOT_SAMPLED = ("mamba2", "recurrent_gemma")
# What the unit tests see of each kind of layer, head and cache; the slow ones see all.
USUAL = (
    "llama",
    "gemma2",
    "cohere2",
    "qwen3_next",
    "lfm2",
    "gpt_oss",
    "falcon_h1",
    "deepseek_v3",
    "qwen3_5",
    "gemma3",
)


def new_model(family: str, vocabulary: int, *, seed: int = 0) -> Any:
    """Return a random model of a family in evaluation mode, with `vocabulary` rows of logits."""
    text, tower = TOWERS.get(family) or (FAMILIES[family], None)
    ids = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
    settings = {**SIZES, **ids, **text, "vocab_size": vocabulary}
    settings = {name: value for name, value in settings.items() if value is not None}
    kind = "AutoModelForCausalLM"
    if tower is not None:
        kind = "AutoModelForImageTextToText"
        settings = {"text_config": settings, **tower, "image_token_index": 1, "image_token_id": 1}
    config = transformers.AutoConfig.for_model(family.partition("-")[0], **settings)
    torch.manual_seed(seed)
    attention = attention_of(family, config, "auto")
    return getattr(transformers, kind).from_config(config, attn_implementation=attention).eval()
