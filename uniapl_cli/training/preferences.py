"""Batches of answers that are known to be good or bad: pairs of them, or each with its label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import encode_answer, pad_rows
from uniapl_cli.tensors import ChoiceBatch, LabelledBatch, TokenBatch
from uniapl_cli.training.sources import Drawn, More
from uniapl_cli.types import Example

Encoded = tuple[list[int], list[int]]
"""The ids of a prompt and of an answer to it."""


@dataclass(frozen=True)
class Choices:
    """Prompts with a chosen and a rejected answer each."""

    stream: str
    chat: Chat

    def draw(
        self, items: Sequence[Example], step: int, signals: Sequence[str], more: More
    ) -> Drawn:
        """Encode both answers of each row; the mask covers an answer and its stop token."""
        chosen = [encode_answer(self.chat, example, "response") for example in items]
        rejected = [encode_answer(self.chat, example, "rejected") for example in items]
        metrics = {"length_chosen": length(chosen), "length_rejected": length(rejected)}
        return Drawn(ChoiceBatch(token_batch(self.chat, chosen + rejected)), metrics)


@dataclass(frozen=True)
class Labels:
    """Answers by themselves, each known to be good or bad; a row may have one of either kind."""

    stream: str
    chat: Chat

    def draw(
        self, items: Sequence[Example], step: int, signals: Sequence[str], more: More
    ) -> Drawn:
        """Encode the answers, good ones first, and each one's prompt with another's answer."""
        good = [encode_answer(self.chat, e, "response") for e in items if e.response is not None]
        bad = [encode_answer(self.chat, e, "rejected") for e in items if e.rejected is not None]
        answers = good + bad
        others = list(mismatched(answers))
        metrics = {
            "desirable": len(good) / len(answers),
            "unmatched": fmean(not answer for _, answer in others),
        }
        if good:
            metrics["length_desirable"] = length(good)
        if bad:
            metrics["length_undesirable"] = length(bad)
        batch = LabelledBatch(
            token_batch(self.chat, answers),
            torch.arange(len(answers)) < len(good),
            token_batch(self.chat, others),
        )
        return Drawn(batch, metrics)


def mismatched(answers: Sequence[Encoded]) -> Iterator[Encoded]:
    """Yield each prompt with the answer of the next row, cyclically, that has another prompt.

    Where no two rows share a prompt, every answer is used once. Where all rows share one, there is
    no such answer: it is empty, and nothing of the row counts.
    """
    for place, (prompt, _) in enumerate(answers):
        following = (*answers[place + 1 :], *answers[:place])
        yield prompt, next((answer for other, answer in following if other != prompt), [])


def token_batch(chat: Chat, rows: Sequence[Encoded]) -> TokenBatch:
    """Return the rows as one padded batch."""
    return TokenBatch(*pad_rows(rows, chat.tokenizer.pad_token_id or 0))


def length(rows: Sequence[Encoded]) -> float:
    """Return the mean length of the answers in tokens."""
    return fmean(len(answer) for _, answer in rows)
