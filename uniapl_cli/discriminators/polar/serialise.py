"""A comparison as token ids for POLAR, as its official client writes them.

[bos] prompt \\n reference <separator> prompt \\n candidate <tail>
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from pydantic import model_validator

from uniapl_cli.chat.thinking import strip_first_thinking
from uniapl_cli.options import Options, key
from uniapl_cli.types import Comparison

log = logging.getLogger("uniapl")

# Tokens that the official client reserves for the separator, the tail and two newlines.
RESERVED = 4
# A token is at least a byte long; a tokenizer may put a few of its own around a text.
MARGIN = 8


class Format(Options):
    """How comparisons are written down.

    `wrapper` is "sft" (prompt, newline, answer) or "pretrain" (no newline). `tail` is "id", the one
    token that POLAR was trained with, or "text", its characters: so the official client sends it to
    a server, whose fast tokenizer makes several tokens of them.
    """

    wrapper: Literal["sft", "pretrain"] = key("sft", "a newline after the prompt, or nothing")
    tail: Literal["id", "text"] = key("id", "the last token as POLAR was trained, or spelt out")
    max_length: int = key(16384, "tokens of a whole input; the prompt keeps its end", ge=1)
    max_response_length: int = key(
        4096, "tokens of reference and candidate; they keep their head", ge=1
    )

    @model_validator(mode="after")
    def _holds_two_responses(self) -> Self:
        if self.max_length < 2 * self.max_response_length + RESERVED:
            raise ValueError(
                f"max_length = {self.max_length} does not hold two responses of "
                f"max_response_length = {self.max_response_length} tokens and {RESERVED} more"
            )
        return self


OFFICIAL = Format()


@dataclass(frozen=True)
class Cut:
    """How many tokens of each part were cut off."""

    prompt: int = 0
    reference: int = 0
    candidate: int = 0

    def parts(self) -> list[str]:
        """Return the names of the parts that lost tokens."""
        return [field.name for field in fields(self) if getattr(self, field.name)]


def report_cuts(comparisons: Sequence[Comparison], cuts: Sequence[Cut]) -> Counter[str]:
    """Return how many comparisons lost tokens, by part, and log a warning that names the first."""
    counts = Counter(part for cut in cuts for part in cut.parts())
    if not counts:
        return counts
    name, cut = next((c.id, cut) for c, cut in zip(comparisons, cuts, strict=True) if cut.parts())
    parts = ", ".join(f"{number} {part}s" for part, number in counts.items())
    log.warning(
        "the discriminator reads %d comparisons in part: %s cut (first: %s, %s tokens)",
        sum(bool(cut.parts()) for cut in cuts),
        parts,
        name or "unnamed",
        ", ".join(f"{part} by {getattr(cut, part)}" for part in cut.parts()),
    )
    return counts


class Serialiser:
    """Comparisons to ids, with a tokenizer and the ids of separator and tail."""

    def __init__(self, tokenizer: Any, separator_id: int, tail_id: int, format: Format) -> None:
        self.tokenizer = tokenizer
        self.separator_id = separator_id
        self.tail_id = tail_id
        self.format = format
        self.glue = "\n" if format.wrapper == "sft" else ""
        bos = tokenizer.bos_token_id
        self.start = [] if bos is None else [bos]
        self.specials = special_strings(tokenizer)

    def encode(self, comparison: Comparison) -> tuple[list[int], Cut]:
        """Return the ids of a comparison, and what was cut off.

        Strings of special tokens are removed from the texts until none is left. (The official
        client removes them once, which can put a new one together: `<|rew<|reward|>ard|>`.)
        """
        texts, cut = self._fit(
            self._clean(comparison.prompt),
            self._clean(comparison.reference),
            self._clean(strip_first_thinking(comparison.candidate)),
        )
        prompt, reference, candidate = texts
        end = "" if self.format.tail == "id" else self.tokenizer.convert_ids_to_tokens(self.tail_id)
        ids = [
            *self.start,
            *self._ids(f"{prompt}{self.glue}{reference}"),
            self.separator_id,
            *self._ids(f"{prompt}{self.glue}{candidate}{end}"),
        ]
        return [*ids, self.tail_id] if self.format.tail == "id" else ids, cut

    def opening(self, prompt: str) -> list[int]:
        """Return the ids of a prompt as they stand before a candidate.

        The last id may depend on the candidate: a token can span the boundary.
        """
        return self._ids(f"{self._clean(prompt)}{self.glue}")

    def _fit(self, prompt: str, reference: str, candidate: str) -> tuple[list[str], Cut]:
        """Cut the texts to the format's lengths; as in the client, each counts its bos."""
        room, most = self.format.max_length - RESERVED, self.format.max_response_length
        bounds = [len(text.encode()) + MARGIN for text in (prompt, reference, candidate)]
        if max(bounds[1:]) <= most and 2 * bounds[0] + sum(bounds[1:]) <= room:
            return [prompt, reference, candidate], Cut()
        reference, size, lost_reference = self._head(reference, most)
        candidate, other, lost_candidate = self._head(candidate, most)
        ids = [*self.start, *self._ids(prompt)]
        spare = max(0, (room - size - other) // 2)
        # One id too many costs no more than the bos, and so no text.
        lost = max(0, len(ids) - spare - len(self.start))
        if lost:
            prompt = self._text(ids[len(ids) - spare :])
        return [prompt, reference, candidate], Cut(lost, lost_reference, lost_candidate)

    def _head(self, text: str, most: int) -> tuple[str, int, int]:
        """Return (text cut to `most` tokens, tokens kept, tokens lost)."""
        ids = [*self.start, *self._ids(text)]
        if len(ids) <= most:
            return text, len(ids), 0
        return self._text(ids[:most]), most, len(ids) - most

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def _text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def _clean(self, text: str) -> str:
        return remove_all(text, self.specials)


def special_strings(tokenizer: Any) -> list[str]:
    """Return the texts of all special tokens, the longest first."""
    added = tokenizer.added_tokens_decoder.values()
    strings = {*tokenizer.all_special_tokens, *filter(is_special, tokenizer.get_vocab())}
    strings |= {token.content for token in added if token.special}
    return sorted(strings, key=len, reverse=True)


def remove_all(text: str, strings: Sequence[str]) -> str:
    """Remove strings from a text until none is left, also those that a removal puts together."""
    before = None
    while before != text:
        before = text
        for string in strings:
            text = text.replace(string, "")
    return text


def is_special(token: str) -> bool:
    """Whether a vocabulary entry is a control token such as `<|im_end|>`."""
    return token.startswith("<|") and token.endswith("|>")
