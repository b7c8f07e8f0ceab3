"""Sampling without weights: the rows that there is room for, at their last token."""

from __future__ import annotations

from typing import Any

import torch

from uniapl_cli.generation.cache import new_cache
from uniapl_cli.generation.decoder import ROOM_SHARE
from uniapl_cli.generation.local import (
    LOGITS_SHARE,
    LOOK,
    MEMORY_SHARE,
    MOST_ROWS,
    PREFILL_SHARE,
    ROOM,
)
from uniapl_cli.generation.rows import PREFILL_TOKENS, Rows
from uniapl_cli.planning.setup import CACHE, Setup, Usage
from uniapl_cli.planning.step import Draw
from uniapl_cli.planning.tracker import Tracker


def decode(model: Any, setup: Setup, usage: Usage, tracker: Tracker, free: int) -> Rows:
    """Read the prompts, then draw a token of each row where `free` bytes are left; note the rows.

    The largest draw is taken; its responses are as many as LocalGenerator would decode at a time.
    """
    draw = max(setup.sampled, key=lambda d: d.own_rows * (d.prompt + d.response))
    look = LOOK.get(setup.device, 1)
    rows = Rows(model, setup.sampling, [0], width=draw.response + look, dtype=setup.dtype)
    usage.token_bytes = max(1, rows.cache.bytes_a_token)
    share = MEMORY_SHARE.get(setup.device, 0.25)
    budget = setup.batch_tokens or int(share * free) // usage.token_bytes
    column, capacity = _columns(draw, ROOM.get(setup.device, 32))
    logits = int(LOGITS_SHARE * free) // (4 * setup.vocabulary)
    most = min(draw.own_rows, MOST_ROWS.get(setup.device, 128), logits, budget // capacity)
    usage.rows = max(1, most)
    _prefill(model, draw, min(PREFILL_TOKENS.get(setup.device, 2048), int(PREFILL_SHARE * budget)))
    rows.arrange([], usage.rows, column, capacity)
    layers = rows.cache.model_cache.layers
    tracker.move([slab for layer in layers for slab in getattr(layer, "slabs", ())], CACHE)
    rows.draw()
    rows.forward()
    rows.draw()
    return rows


def _columns(draw: Draw, room: int) -> tuple[int, int]:
    """Return the columns that are written, and those that there are, when the last token comes."""
    column, capacity = draw.prompt, 0
    while capacity < draw.prompt + draw.response:
        column = max(column, capacity)
        capacity = column + max(room, int(ROOM_SHARE * column))
    return column, capacity


def _prefill(model: Any, draw: Draw, tokens: int) -> None:
    """Read as many prompts as go into a pass of so many tokens."""
    texts = max(1, min(draw.own_prompts, tokens // draw.prompt))
    ids = torch.zeros(texts, draw.prompt, dtype=torch.long)
    model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        position_ids=ids,
        past_key_values=new_cache(model),
        use_cache=True,
        logits_to_keep=1,
    )
