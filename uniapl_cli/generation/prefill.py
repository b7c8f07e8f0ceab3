"""Passes over prompts: each text once for all rows that have it, and what texts share once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from uniapl_cli.generation.attention import takes_masks
from uniapl_cli.generation.cache import RowCache, new_cache
from uniapl_cli.generation.passes import PASS_COST, Group, Row, batches, groups
from uniapl_cli.generation.prefixes import repeated
from uniapl_cli.tensors import pad_ids

if TYPE_CHECKING:
    from transformers import DynamicCache

# (text, the rows that have it)
Shared = tuple[tuple[int, ...], list[int]]
# Share of the tokens below which it is not worth the copies of keys and values.
LEAST_SAVED = 0.25
# Of a text nothing but the next token is asked: one of one token, which is not read.
NEXT = ((0, (0,)),)


def prefill(
    model: Any,
    cache: RowCache,
    texts: Mapping[tuple[int, ...], list[int]],
    *,
    tokens: int,
    held: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Write texts, each for its rows, in front of the cache's present column.

    Yields rows (N,) and the logits (N, V) behind their texts. tokens: most that are read in a pass,
    padding included. held: most whose keys and values there are beside the cache.
    """
    device = cache.index.device
    named = list(texts.items())
    rows = [Row(n, np.array(text, dtype=np.int32), NEXT) for n, (text, _) in enumerate(named)]
    shares = cache.plain and takes_masks(model)
    for group in _groups(rows, device) if shares else [Group(0, rows)]:
        ids = torch.tensor(group.rows[0].context[None, : group.shared], device=device)
        prefix = _read(model, ids.long()) if group.shared else None
        for batch in batches(group, tokens=tokens, held=held, cost=tokens):
            part = [named[row.request] for row in batch]
            yield _behind(model, cache, prefix, group.shared, part)


def _groups(rows: list[Row], device: torch.device) -> list[Group]:
    """Group rows by what they share, if that is worth it."""
    found = groups(rows, PASS_COST.get(device.type, 32))
    whole = sum(row.length for row in rows)
    saved = whole - sum(group.length for group in found)
    return found if saved >= LEAST_SAVED * whole else [Group(0, rows)]


def _read(model: Any, ids: Tensor) -> DynamicCache:
    """Return the keys and values of ids (1, P)."""
    cache = new_cache(model)
    model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def _behind(
    model: Any, cache: RowCache, prefix: DynamicCache | None, shared: int, part: Sequence[Shared]
) -> tuple[Tensor, Tensor]:
    """Run texts whose first `shared` ids are those of `prefix`, and share them out to their rows.

    They are padded on the left, so between the prefix and what follows it.
    """
    device = cache.index.device
    # Padded with a token that any vocabulary has: a tokenizer's own may be beyond the model's.
    ids, own = pad_ids([text[shared:] for text, _ in part], 0, left=True)
    ids, own = ids.to(device), own.to(device)
    past = new_cache(model) if prefix is None else repeated(prefix, len(part))
    output = model(
        input_ids=ids,
        attention_mask=torch.cat([own.new_ones(len(part), shared), own], 1),
        position_ids=shared + (own.cumsum(1) - 1).clamp(min=0),
        past_key_values=past,
        use_cache=True,
        logits_to_keep=1,
    )
    rows = torch.tensor([row for _, rows in part for row in rows], device=device)
    shares = torch.tensor([len(rows) for _, rows in part], device=device)
    owners = torch.arange(len(part), device=device).repeat_interleave(shares)
    cache.write(rows, past, owners, shared)
    if prefix is not None:  # at last, as it covers the padding
        lengths = [len(text) - shared for text, rows in part for _ in rows]
        for length in set(lengths):
            places = [place for place, own_length in enumerate(lengths) if own_length == length]
            cache.write_prefix(rows[places], prefix, length)
    return rows, output.logits[owners, -1].float()
