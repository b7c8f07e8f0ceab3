"""Batches of preferences: answers of which one is better, and answers that are good or bad."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.tensors import Batch, TokenBatch, last_true


@dataclass(frozen=True)
class ChoiceBatch(Batch):
    """Prompts with a chosen and a rejected answer each: one loss a prompt.

    answers: 2B rows, the chosen answers of all prompts before the rejected ones of all prompts.
    """

    answers: TokenBatch

    def __post_init__(self) -> None:
        if len(self.answers.mask) % 2:
            raise ValueError(f"two answers a prompt are needed, got {len(self.answers.mask)} rows")

    @property
    def mask(self) -> Tensor:
        """(B, 1): the prompts of which either answer has a token that counts."""
        chosen, rejected = self.answers.mask.any(1).chunk(2)
        return (chosen | rejected).unsqueeze(1)

    def split(self, rows: int) -> Iterator[ChoiceBatch]:
        """Yield micro-batches of at most `rows` prompts of similar length, both answers together.

        Each has 2 * `rows` rows of tokens.
        """
        chosen, rejected = last_true(self.answers.mask).chunk(2)
        order = torch.argsort(torch.maximum(chosen, rejected), descending=True, stable=True)
        for index in order.split(rows):
            yield ChoiceBatch(self.answers.take(torch.cat([index, index + len(order)])))

    def to(self, device: torch.device) -> ChoiceBatch:
        """Return the batch on `device`."""
        return ChoiceBatch(self.answers.to(device))

    def model_input(self) -> TokenBatch:
        """Return the answers."""
        return self.answers

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> ChoiceBatch:
        """Return the answers with the reference's log-probabilities."""
        return ChoiceBatch(self.answers.with_reference(read))


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """Answers that are known to be good or bad: one loss an answer.

    answers: B rows. desirable: (B,) bool. mismatched: B rows, each prompt with another's answer,
    from which KTO estimates how far the policy is from its reference. baseline: that estimate, (),
    of the whole step, which is there once the policy has read `mismatched`.
    """

    answers: TokenBatch
    desirable: Tensor
    mismatched: TokenBatch
    baseline: Tensor | None = None

    def __post_init__(self) -> None:
        rows = len(self.answers.mask)
        if self.desirable.shape != (rows,) or self.desirable.dtype is not torch.bool:
            raise ValueError(f"desirable must be bool ({rows},), got {self.desirable.shape}")

    @property
    def mask(self) -> Tensor:
        """(B, 1): the answers that have a token that counts."""
        return self.answers.mask.any(1, keepdim=True)

    def split(self, rows: int) -> Iterator[LabelledBatch]:
        """Yield micro-batches of at most `rows` answers of similar length."""
        order = torch.argsort(last_true(self.answers.mask), descending=True, stable=True)
        for index in order.split(rows):
            sides = self.answers.take(index), self.desirable[index], self.mismatched.take(index)
            yield LabelledBatch(*sides, self.baseline)

    def to(self, device: torch.device) -> LabelledBatch:
        """Return the batch on `device`."""
        baseline = None if self.baseline is None else self.baseline.to(device)
        parts = self.answers.to(device), self.desirable.to(device), self.mismatched.to(device)
        return LabelledBatch(*parts, baseline)

    def model_input(self) -> TokenBatch:
        """Return the answers."""
        return self.answers

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> LabelledBatch:
        """Return the answers, also the mismatched ones, with the reference's log-probabilities."""
        answers, mismatched = (b.with_reference(read) for b in (self.answers, self.mismatched))
        return replace(self, answers=answers, mismatched=mismatched)

    @classmethod
    @torch.no_grad()
    def complete(
        cls, micros: Sequence[LabelledBatch], forward: Callable[[Any], Tensor]
    ) -> list[LabelledBatch]:
        """Return the micro-batches with KTO's baseline of all of them.

        The baseline is max(0, the mean of log p / p_ref over mismatched answers), as in TRL.
        """
        gains = torch.cat([micro.mismatched_gains(forward) for micro in micros])
        baseline = (gains.sum() / max(len(gains), 1)).clamp(min=0)
        return [replace(micro, baseline=baseline) for micro in micros]

    def mismatched_gains(self, forward: Callable[[Any], Tensor]) -> Tensor:
        """Return log p / p_ref of each mismatched answer; a prompt without one has none."""
        side = self.mismatched
        assert side.ref_logps is not None, "prepared with a reference"
        gains = ((forward(side) - side.ref_logps) * side.mask).sum(1)
        return gains[side.mask.any(1)]


@dataclass(frozen=True)
class PairBatch(Batch):
    """Pairs of sequences, padded on the right, of which the first should score higher.

    tokens: (B, 2, L) ids. lengths: (B, 2); the score is read at the last token of each.
    """

    tokens: Tensor
    lengths: Tensor

    def __post_init__(self) -> None:
        if self.tokens.dim() != 3 or self.tokens.shape[1] != 2:
            raise ValueError(f"tokens must be (B, 2, L), got {tuple(self.tokens.shape)}")
        if self.lengths.shape != self.tokens.shape[:2]:
            raise ValueError(f"lengths must be {tuple(self.tokens.shape[:2])}")

    @property
    def mask(self) -> Tensor:
        """(B, 1): each pair is one loss."""
        return torch.ones(len(self.tokens), 1, dtype=torch.bool, device=self.tokens.device)

    def split(self, rows: int) -> Iterator[PairBatch]:
        """Yield micro-batches of at most `rows` pairs of similar length."""
        order = torch.argsort(self.lengths.amax(1), descending=True, stable=True)
        for index in order.split(rows):
            lengths = self.lengths[index]
            yield PairBatch(self.tokens[index, :, : int(lengths.max())], lengths)

    def to(self, device: torch.device) -> PairBatch:
        """Return the batch on `device`."""
        return PairBatch(self.tokens.to(device), self.lengths.to(device))
