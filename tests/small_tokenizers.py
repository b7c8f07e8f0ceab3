"""Byte-level tokenizers of few merges, made in a moment, with any special tokens and template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast


def new_tokenizer(special: Sequence[str], template: str | None, plain: Sequence[str] = ()) -> Any:
    """Return a tokenizer; `special` is eos, bos and others, `plain` marks are not special."""
    core = Tokenizer(models.BPE())
    # Line breaks are a piece of their own, as Qwen and Llama have them.
    lines = pre_tokenizers.Split(Regex(r"\s*[\r\n]+|\s?\S+|\s+"), behavior="isolated")
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([lines, bytewise])
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(["The harbour is old. system user assistant\n\n"], trainer)
    core.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    core.add_tokens([AddedToken(t, special=False, normalized=False) for t in plain])
    named = dict(zip(("eos_token", "bos_token"), special, strict=False))
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        clean_up_tokenization_spaces=False,
        chat_template=template,
        **named,
    )
