"""How long a row may become."""

from __future__ import annotations

import sys
from typing import Any


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
