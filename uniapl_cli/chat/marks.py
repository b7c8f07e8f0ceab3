"""Keeps text that spells a control token apart from the marks that a chat template writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from uniapl_cli.chat.thinking import CLOSE, OPEN

# Put around text that spells a control token. Unicode reserves them for a program's own use.
START, END = "\ufdd0", "\ufdd1"


class Marks:
    """Quotes text that spells control tokens, and encodes quoted text as text.

    Control tokens are the special ones, and the others that the template writes (`written`); think
    marks only if they are special, since text may open a think block by them.
    """

    def __init__(self, tokenizer: Any, written: str = "") -> None:
        self.tokenizer = tokenizer
        self.controls = {
            token.content: id
            for id, token in tokenizer.added_tokens_decoder.items()
            if token.content.strip()
            and (token.special or (token.content in written and token.content not in (OPEN, CLOSE)))
        }
        longest_first = sorted(self.controls, key=len, reverse=True)
        spelt = "|".join(map(re.escape, [*longest_first, START, END]))
        self._spelt = re.compile(spelt)
        self._quoted = re.compile(f"{START}({spelt}){END}|[{START}{END}]")
        self._first_letters = {text[0] for text in (*self.controls, START, END)}

    def quote(self, value: Any) -> Any:
        """Return a text, or each text in a list or mapping, with what spells a token quoted."""
        if isinstance(value, str):
            if not any(letter in value for letter in self._first_letters):
                return value
            return self._spelt.sub(f"{START}\\g<0>{END}", value)
        if isinstance(value, Mapping):
            return {name: self.quote(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.quote(item) for item in value]
        return value

    def unquote(self, text: str) -> str:
        """Return quoted text as it was. A quote that the template has cut in two is taken off."""
        return self._quoted.sub(lambda match: match[1] or "", text)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of quoted texts; equal to those of each text alone."""
        plain = [text for text in texts if START not in text and END not in text]
        ids = iter(self._batch(plain))
        return [
            self._encode_quoted(text) if START in text or END in text else next(ids)
            for text in texts
        ]

    def _encode_quoted(self, text: str) -> list[int]:
        # The pieces alternate: text with the template's marks, quoted text, text ...
        pieces = self._quoted.split(text)
        return [
            id
            for number, piece in enumerate(pieces)
            if piece
            for id in self._piece(piece, as_text=number % 2 == 1, first=number == 0)
        ]

    def _piece(self, piece: str, *, as_text: bool, first: bool) -> list[int]:
        ids = self._alone(piece, as_text=as_text, first=first)
        if as_text and self.controls.get(piece) in ids:
            # A mark that is not special cannot be switched off; its halves spell nothing.
            before = self._alone(piece[:1], as_text=True, first=first)
            return before + self._alone(piece[1:], as_text=True, first=False)
        return ids

    def _alone(self, piece: str, *, as_text: bool, first: bool) -> list[int]:
        """Return the ids of a piece; behind another, without the space put before a text."""
        options = {"add_special_tokens": False, "split_special_tokens": as_text}
        if not first:
            ids = self.tokenizer.encode(f"\n{piece}", **options)
            if ids[: len(self._newline)] == self._newline:
                return ids[len(self._newline) :]
        return self.tokenizer.encode(piece, **options)

    @cached_property
    def _newline(self) -> list[int]:
        return self.tokenizer.encode("\n", add_special_tokens=False)

    def _batch(self, texts: Sequence[str]) -> list[list[int]]:
        if not self._encodes_plainly:
            return [self.tokenizer.encode(text, add_special_tokens=False) for text in texts]
        # This sets up the backend (no truncation, no padding, these options) as one text would.
        self.tokenizer.encode("", add_special_tokens=False)
        batch = self.tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in batch]

    @property
    def _encodes_plainly(self) -> bool:
        """Whether `encode` only calls the backend; some models' tokenizers override it."""
        from transformers import PreTrainedTokenizerFast as Fast

        own = type(self.tokenizer)
        return issubclass(own, Fast) and all(
            getattr(own, name) is getattr(Fast, name) for name in ("encode", "_encode_plus")
        )
