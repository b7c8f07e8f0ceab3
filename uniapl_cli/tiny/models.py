"""The embedded world's models: Qwen3 with a few hundred thousand parameters, not yet trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uniapl_cli.tiny.tokenizer import MAX_LENGTH

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

TEACHER = {"hidden": 128, "layers": 2}
BASE = {"hidden": 64, "layers": 2}


def new_model(
    tokenizer: PreTrainedTokenizerFast, *, hidden: int, layers: int, seed: int
) -> Qwen3ForCausalLM:
    """Return a randomly initialised model in float32. Leaves the global random state as it was."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=MAX_LENGTH,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        # With the usual .02 so small a model never learns to copy the topic from its prompt.
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.pad_token_id,  # as Qwen3's, which never writes it either
        dtype=torch.float32,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone, unlike torch.manual_seed
        model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(bos_token_id=config.bos_token_id, **ids)
    return model
