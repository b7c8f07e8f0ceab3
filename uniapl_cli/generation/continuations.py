"""Continuations of a text as token ids, as lm-evaluation-harness encodes them for its HF models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uniapl_cli.errors import ModelError


def encode(tokenizer: Any, context: str, options: Sequence[str]) -> tuple[list[int], list[Any]]:
    """Return the ids of a plain text, and for each option those that it adds behind them.

    Spaces at the context's end go to the options. Each is encoded with the context, and begins
    behind as many ids as the context has alone. The tokenizer adds its special tokens, unless the
    text begins with its BOS (EOS, without one) itself; an empty context is that one token. So does
    HFLM without a chat template (EleutherAI/lm-evaluation-harness, lm_eval/api/model.py:
    `_encode_pair`, `loglikelihood`; lm_eval/models/huggingface.py: `tok_encode`).
    """
    if context == "":
        first = _beginning(tokenizer)
        found = tokenizer(list(options), add_special_tokens=False)["input_ids"]
        return [first], [ids[1:] if ids[:1] == [first] else ids for ids in found]
    stripped = context.rstrip()
    alone, *whole = _encoded(tokenizer, [stripped, *(context + option for option in options)])
    return alone or [_beginning(tokenizer)], [ids[len(alone) :] for ids in whole]


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a plain text, with special tokens as `encode` adds them."""
    return _encoded(tokenizer, [text])[0] or [_beginning(tokenizer)]


def _encoded(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of texts that begin as the first one does."""
    first = _first(tokenizer)
    begins = first is not None and texts[0].startswith(tokenizer.decode(first))
    found: list[list[int]] = tokenizer(
        list(texts), **({"add_special_tokens": False} if begins else {})
    )["input_ids"]
    return found


def _first(tokenizer: Any) -> int | None:
    return tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id


def _beginning(tokenizer: Any) -> int:
    """Return the token that a text without a token is read behind. Raises ModelError."""
    if (first := _first(tokenizer)) is None:
        kind = type(tokenizer).__name__
        raise ModelError(f"{kind} has neither a BOS nor an EOS token to read an empty text behind")
    return first
