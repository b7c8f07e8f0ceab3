"""What a token is multiplied with, on its way through a model."""

from __future__ import annotations

from typing import Any


def multiplied(model: Any) -> int:
    """Return how many weights a token is multiplied with, the head's and embeddings' left out.

    Of a mixture of experts it is those of the experts that a token goes through.
    """
    head = getattr(model, "get_output_embeddings", lambda: None)()
    config = model.config.get_text_config()
    most = getattr(config, "num_experts", None) or getattr(config, "num_local_experts", None)
    share = (getattr(config, "num_experts_per_tok", None) or 1) / most if most else 1.0
    total = 0.0
    for name, weight in model.named_parameters():
        if weight.dim() < 2 or (head is not None and weight is head.weight) or "embed" in name:
            continue
        total += weight.numel() * (share if ".experts." in name else 1)
    return int(total)


def attention(config: Any) -> int:
    """Return the multiplications of a token with one key and its value, over all layers."""
    heads = getattr(config, "num_attention_heads", None) or 1
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return 2 * int(config.num_hidden_layers) * int(heads) * int(size)
