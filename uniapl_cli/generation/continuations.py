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
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if context == "":
        return _behind_nothing(tokenizer, first, options)
    stripped = context.rstrip()
    moved = context[len(stripped) :]
    begins = first is not None and stripped.startswith(tokenizer.decode(first))
    texts = [stripped, *(stripped + moved + option for option in options)]
    added = {"add_special_tokens": False} if begins else {}
    alone, *whole = tokenizer(texts, **added)["input_ids"]
    behind = [ids[len(alone) :] for ids in whole]
    return alone or [_needed(tokenizer, first)], behind


def _behind_nothing(
    tokenizer: Any, first: int | None, options: Sequence[str]
) -> tuple[list[int], list[Any]]:
    """Return the ids of options without a context: behind the token that a text begins with."""
    first = _needed(tokenizer, first)
    found = tokenizer(list(options), add_special_tokens=False)["input_ids"]
    return [first], [ids[1:] if ids[:1] == [first] else ids for ids in found]


def _needed(tokenizer: Any, first: int | None) -> int:
    if first is None:
        kind = type(tokenizer).__name__
        raise ModelError(f"{kind} has neither a BOS nor an EOS token to read an empty text behind")
    return first
