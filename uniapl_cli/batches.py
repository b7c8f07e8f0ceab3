"""Batches of labelled answers and of pairs: for DPO, KTO and the discriminator's ranking loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.tensors import Batch, TokenBatch


@dataclass(frozen=True)
class ChoiceBatch(Batch):
    """Prompts with a chosen and a rejected answer each; one loss a prompt.

    answers: 2B rows, first the chosen answers of all prompts, then the rejected ones.
    """

    answers: TokenBatch

    def __post_init__(self) -> None:
        if len(self.answers.loss_mask) % 2:
            raise ValueError(
                f"two answers a prompt are needed, got {len(self.answers.loss_mask)} rows"
            )

    @property
    def loss_mask(self) -> Tensor:
        """(B, 1) bool: the prompts with an answer that has a token that counts."""
        chosen, rejected = self.answers.loss_mask.any(1).chunk(2)
        return (chosen | rejected).unsqueeze(1)

    def row_lengths(self) -> Tensor:
        """Return (B,): twice the longer of a prompt's two answers, which stay together."""
        chosen, rejected = self.answers.row_lengths().chunk(2)
        return 2 * torch.maximum(chosen, rejected)

    def take(self, rows: Tensor) -> ChoiceBatch:
        """Return both answers of these prompts."""
        prompts = len(self.answers.loss_mask) // 2
        return ChoiceBatch(self.answers.take(torch.cat([rows, rows + prompts])))

    def to(self, device: torch.device) -> ChoiceBatch:
        """Return the batch on `device`."""
        return ChoiceBatch(self.answers.to(device))

    def model_input(self) -> TokenBatch:
        """Return the answers."""
        return self.answers

    def emptied(self) -> ChoiceBatch:
        """Return the batch with empty masks."""
        return ChoiceBatch(self.answers.emptied())

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> ChoiceBatch:
        """Return the answers with the reference's log-probabilities."""
        return ChoiceBatch(self.answers.with_reference(read))


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """Answers labelled good or bad; one loss an answer.

    answers: B rows. desirable: (B,) bool. mismatched: B rows, each prompt with the answer to
    another. baseline: (), KTO's estimate over the whole step of the divergence between policy and
    reference, from the mismatched answers; `completed` fills it in.
    """

    answers: TokenBatch
    desirable: Tensor
    mismatched: TokenBatch
    baseline: Tensor | None = None

    def __post_init__(self) -> None:
        rows = len(self.answers.loss_mask)
        if self.desirable.shape != (rows,) or self.desirable.dtype is not torch.bool:
            raise ValueError(f"desirable must be bool ({rows},), got {self.desirable.shape}")

    @property
    def loss_mask(self) -> Tensor:
        """(B, 1) bool: the answers that have a token that counts."""
        return self.answers.loss_mask.any(1, keepdim=True)

    def row_lengths(self) -> Tensor:
        """Return (B,): the longer of an answer and its mismatched one, each passed by itself."""
        return torch.maximum(self.answers.row_lengths(), self.mismatched.row_lengths())

    def take(self, rows: Tensor) -> LabelledBatch:
        """Return these answers, and the mismatched ones beside them."""
        answers, mismatched = self.answers.take(rows), self.mismatched.take(rows)
        return LabelledBatch(answers, self.desirable[rows], mismatched, self.baseline)

    def to(self, device: torch.device) -> LabelledBatch:
        """Return the batch on `device`."""
        return LabelledBatch(
            self.answers.to(device),
            self.desirable.to(device),
            self.mismatched.to(device),
            None if self.baseline is None else self.baseline.to(device),
        )

    def model_input(self) -> TokenBatch:
        """Return the answers."""
        return self.answers

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> LabelledBatch:
        """Return both kinds of answers with the reference's log-probabilities."""
        answers, mismatched = (b.with_reference(read) for b in (self.answers, self.mismatched))
        return replace(self, answers=answers, mismatched=mismatched)

    def emptied(self) -> LabelledBatch:
        """Return the batch with empty masks."""
        answers, mismatched = self.answers.emptied(), self.mismatched.emptied()
        return replace(self, answers=answers, mismatched=mismatched)

    @torch.no_grad()
    def contribution(self, forward: Callable[[Any], Tensor]) -> Tensor:
        """Return the sum of log p / p_ref over the mismatched answers, and their number."""
        ratios = self.mismatched_log_ratios(forward).double()
        return torch.stack([ratios.sum(), ratios.new_tensor(len(ratios))])

    def completed(self, contributions: Sequence[Tensor]) -> LabelledBatch:
        """Return the batch with KTO's baseline.

        It is max(0, mean of log p / p_ref over the step's mismatched answers), as in TRL.
        """
        ratios, count = torch.stack([*contributions]).sum(0).tolist()
        mean = max(0.0, ratios / max(count, 1.0))
        baseline = torch.tensor(mean, dtype=torch.float64, device=self.desirable.device)
        return replace(self, baseline=baseline)

    def mismatched_log_ratios(self, forward: Callable[[Any], Tensor]) -> Tensor:
        """Return log p / p_ref of each mismatched answer that is not empty."""
        answers = self.mismatched
        assert answers.ref_logps is not None, "prepared with a reference"
        ratios = ((forward(answers) - answers.ref_logps) * answers.loss_mask).sum(1)
        return ratios[answers.loss_mask.any(1)]


@dataclass(frozen=True)
class PairBatch(Batch):
    """Pairs of sequences, padded on the right; the first of a pair should score higher.

    tokens: (B, 2, L) ids. lengths: (B, 2); a score is read at a sequence's last token. counts:
    whether the pairs do.
    """

    tokens: Tensor
    lengths: Tensor
    counts: bool = True

    def __post_init__(self) -> None:
        if self.tokens.dim() != 3 or self.tokens.shape[1] != 2:
            raise ValueError(f"tokens must be (B, 2, L), got {tuple(self.tokens.shape)}")
        if self.lengths.shape != self.tokens.shape[:2]:
            raise ValueError(f"lengths must be {tuple(self.tokens.shape[:2])}")

    @property
    def loss_mask(self) -> Tensor:
        """(B, 1) bool: every pair counts, or none."""
        return torch.full((len(self.tokens), 1), self.counts, device=self.tokens.device)

    def row_lengths(self) -> Tensor:
        """Return (B,): twice the longer sequence of each pair."""
        return 2 * self.lengths.amax(1)

    def take(self, rows: Tensor) -> PairBatch:
        """Return these pairs, without needless padding."""
        lengths = self.lengths[rows]
        return PairBatch(self.tokens[rows, :, : int(lengths.max())], lengths, self.counts)

    def emptied(self) -> PairBatch:
        """Return the batch with pairs that do not count."""
        return replace(self, counts=False)

    def to(self, device: torch.device) -> PairBatch:
        """Return the batch on `device`."""
        return PairBatch(self.tokens.to(device), self.lengths.to(device), self.counts)
