"""How long a row may become."""

from __future__ import annotations

import sys
from typing import Any

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.generator import Request
from uniapl_cli.types import Sampling


def context_of(model: Any) -> int:
    """Return how many tokens of a row the model can be sampled with; very many if it has no end.

    Where rotations change at a length for all rows at once (longrope), as soon as one gets there,
    rows would depend on each other from that length on.
    """
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    name = "max_position_embeddings"
    if rope.get("rope_type") == "longrope":
        name = f"original_{name}"
        if name in rope:
            return int(rope[name])
    return getattr(config, name, None) or sys.maxsize


def limit_of(request: Request, sampling: Sampling, context: int) -> int:
    """Return how many tokens a response to a request may have at most.

    Raises ModelError for a prompt that leaves no room for so many in the model's context.
    """
    limit = min(sampling.max_new_tokens, request.max_new_tokens or sampling.max_new_tokens)
    needed = len(request.prompt_ids) + limit
    if not request.prompt_ids:
        raise ModelError("a prompt without tokens has no next one", where=request.name or None)
    if needed > context:
        raise ModelError(
            f"{len(request.prompt_ids)} prompt tokens + {limit} new ones exceed the model's "
            f"context of {context}",
            "Shorten the prompt or lower max_new_tokens",
            where=request.name or "a prompt",
            got=needed,
        )
    return limit


def stop_ids_of(model: Any, stop_id: int) -> set[int]:
    """Return the tokens that end a response: the chat's, and those that the model lists."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return {stop_id, *(token for token in listed if token is not None)}
