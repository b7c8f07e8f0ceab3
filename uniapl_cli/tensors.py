"""The tensors of training: TokenBatch -> TokenLoss -> Mean. Shapes are checked here, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.batch import Batch as Batch
from uniapl_cli.readings import Reading
from uniapl_cli.statistic import Maximum, Mean, SampleSize, Statistic


def pad_ids(
    rows: Sequence[Sequence[int]], pad_id: int = 0, *, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Return (R, L) token ids, padded on the right or left, and their (R, L) 0/1 mask.

    [[5, 6], [7]] gives [[5, 6], [7, 0]] and [[1, 1], [1, 0]].
    """
    lengths = torch.tensor([len(row) for row in rows]).unsqueeze(1)
    width = int(lengths.max())
    index = torch.arange(width)
    mask = index >= width - lengths if left else index < lengths
    ids = torch.full(mask.shape, pad_id, dtype=torch.long)
    ids[mask] = torch.tensor([token for row in rows for token in row], dtype=torch.long)
    return ids, mask.long()


# The fields of a TokenBatch that hold tensors by name: (B,) by reward, and (B,) or (B, T) by fact.
BY_REWARD = ("advantages", "row_mask")
BY_NAME = (*BY_REWARD, "known", "readings", "references")
# What a pass over some tokens asks a reference for that is to be compared by whole distributions.
Teaching = Callable[["TokenBatch"], Any]
# The frozen policy that training starts from, among the references by name.
START = "start"
# (log of learner / sampler (B, T), loss_mask) -> that ratio, and the weights of the losses in its
# place; both (B, T), or (B, 1) for a number a row.
Correction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class TokenBatch(Batch):
    """Token sequences, padded on the right, and what the objectives need of each token.

    tokens: (B, T+1) ids. loss_mask: (B, T) bool; `loss_mask[b, t]` says whether the prediction of
    `tokens[b, t+1]` counts. old_logps, ref_logps, start_logps: (B, T) log-probabilities under the
    sampler, under the frozen reference, and under the learner before the step's first update.
    advantages: (B,) by reward. row_mask: (B,) bool, by reward, the rows that count for it; a reward
    without one counts all. temperature divides the logits, as it did when the tokens were sampled.
    correction: weights for a sampler that is not the learner. known: facts of rows, (B,), and of
    tokens, (B, T), by name. readings: (B, T), what the pass gave beside log-probabilities.
    references: (B, T) log-probabilities under other references, by name. contexts: by the name of
    a reference that reads more before it answers, the same responses behind what that reads.
    teachers: by name, what a pass asks for a reference's whole distributions.
    Attention is causal and padding is on the right, so no attention mask is needed.
    """

    tokens: Tensor
    loss_mask: Tensor
    old_logps: Tensor | None = None
    ref_logps: Tensor | None = None
    advantages: Mapping[str, Tensor] = field(default_factory=dict)
    row_mask: Mapping[str, Tensor] = field(default_factory=dict)
    temperature: float = 1.0
    start_logps: Tensor | None = None
    correction: Correction | None = None
    known: Mapping[str, Tensor] = field(default_factory=dict)
    readings: Mapping[Reading, Tensor] = field(default_factory=dict)
    references: Mapping[str, Tensor] = field(default_factory=dict)
    contexts: Mapping[str, TokenBatch] = field(default_factory=dict)
    teachers: Mapping[str, Teaching] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, width = self.tokens.shape
        shape = (rows, width - 1)
        if self.loss_mask.shape != shape or self.loss_mask.dtype is not torch.bool:
            raise ValueError(
                f"loss_mask must be bool {shape}, got {self.loss_mask.dtype} {self.loss_mask.shape}"
            )
        for name in ("old_logps", "ref_logps", "start_logps"):
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must be {shape}, got {tuple(value.shape)}")
        for name in BY_REWARD:
            for reward, value in getattr(self, name).items():
                if value.shape != (rows,):
                    raise ValueError(f"{name}['{reward}'] must be ({rows},), got {value.shape}")
        for name, value in self.known.items():
            if value.shape not in ((rows,), shape):
                raise ValueError(f"known['{name}'] must be ({rows},) or {shape}: {value.shape}")

    def row_lengths(self) -> Tensor:
        """Return (B,): where each row's last token that counts is predicted; nothing reads on.

        It is the longest of all that are read of the row.
        """
        lengths = [row_ends(self.loss_mask), *(c.row_lengths() for c in self.contexts.values())]
        return torch.stack(lengths).amax(0)

    def take(self, rows: Tensor) -> TokenBatch:
        """Return the rows of these indices, without needless padding."""
        width = max(int(row_ends(self.loss_mask[rows]).max()), 1)
        widths = {"tokens": width + 1}

        def cut(name: str, value: Tensor) -> Tensor:
            return value[rows][:, : widths.get(name, width)] if value.dim() == 2 else value[rows]

        contexts = {name: context.take(rows) for name, context in self.contexts.items()}
        return replace(self._each(cut), contexts=contexts)

    def to(self, device: torch.device) -> TokenBatch:
        """Return the batch on `device`."""
        moved = self._each(lambda name, value: value.to(device, non_blocking=True))
        contexts = {name: context.to(device) for name, context in self.contexts.items()}
        return replace(moved, contexts=contexts)

    def mask_for(self, reward: str | None) -> Tensor:
        """Return where a loss counts for a reward: (B, T) bool."""
        rows = self.row_mask.get(reward or "")
        return self.loss_mask if rows is None else self.loss_mask & rows.unsqueeze(1)

    @property
    def facts(self) -> Mapping[str, Tensor]:
        """What conditions may name of the rows, (B, 1), and of their tokens, (B, T)."""
        return {n: v.unsqueeze(1) if v.dim() == 1 else v for n, v in self.known.items()}

    def with_readings(self, readings: Mapping[Reading, Tensor]) -> TokenBatch:
        """Return the batch with what a pass gave beside log-probabilities."""
        return replace(self, readings=readings)

    def with_known(self, known: Mapping[str, Tensor]) -> TokenBatch:
        """Return the batch with more facts of its rows or tokens."""
        return replace(self, known={**self.known, **known})

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> TokenBatch:
        """Return the batch with the reference's log-probabilities."""
        return replace(self, ref_logps=read(self))

    def with_references(self, reads: Mapping[str, Callable[[TokenBatch], Tensor]]) -> TokenBatch:
        """Return the batch with the log-probabilities of other references, by their names."""
        found = {name: read(self) for name, read in reads.items()}
        return replace(self, references={**self.references, **found})

    def with_teachers(self, teachers: Mapping[str, Teaching]) -> TokenBatch:
        """Return the batch with what passes over it ask for references' whole distributions."""
        return replace(self, teachers=teachers)

    def reference(self, name: str) -> Tensor:
        """Return the log-probabilities (B, T) under a reference of this name."""
        logps = self.ref_logps if name == START else self.references.get(name)
        assert logps is not None, "registered with reference=True"
        return logps

    def emptied(self) -> TokenBatch:
        """Return the batch with an empty mask."""
        contexts = {name: context.emptied() for name, context in self.contexts.items()}
        return replace(self, loss_mask=torch.zeros_like(self.loss_mask), contexts=contexts)

    def with_start(self, read: Callable[[TokenBatch], Tensor]) -> TokenBatch:
        """Return the batch with the learner's log-probabilities, if they are to be corrected by."""
        return self if self.correction is None else replace(self, start_logps=read(self))

    def _each(self, change: Callable[[str, Tensor], Tensor]) -> TokenBatch:
        """Return the batch with each tensor replaced by `change(field's name, tensor)`."""
        new: dict[str, Any] = {
            name: {key: change(name, value) for key, value in getattr(self, name).items()}
            for name in BY_NAME
        }
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                new[item.name] = change(item.name, value)
        return replace(self, **new)


@dataclass(frozen=True)
class TokenLoss:
    """The loss at each element of a batch's mask, and what to log.

    Logged are the means of `metrics`, the largest of each of `maxima`, none of them below 0, and
    the effective sample size of each of `weights`. All are (B, T), or (B, 1) for a number a row.
    """

    per_token: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    maxima: Mapping[str, Tensor] = field(default_factory=dict)
    weights: Mapping[str, Tensor] = field(default_factory=dict)

    def statistics(self, mask: Tensor) -> dict[str, Statistic]:
        """Return what is logged of the elements of a mask (B, T)."""
        rows = mask.any(1, keepdim=True)
        kinds: Mapping[type[Statistic], Mapping[str, Tensor]]
        kinds = {Mean: self.metrics, Maximum: self.maxima, SampleSize: self.weights}
        return {
            name: kind.of(value.detach(), rows if value.shape == rows.shape else mask)
            for kind, values in kinds.items()
            for name, value in values.items()
        }


def row_ends(mask: Tensor) -> Tensor:
    """Return (B,): the index after the last True of each row of a mask (B, T); 0 without any."""
    ends = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask * ends).amax(1)
