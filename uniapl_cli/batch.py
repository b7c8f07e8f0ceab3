"""A batch, as training sees it: what it does with one of any kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from uniapl_cli.partition import partition
from uniapl_cli.readings import Reading


class Batch(ABC):
    """Rows of data and a mask that says where a loss counts. Some of the rows are a batch too.

    Training only calls these methods, so a plug-in's own kind of batch works as the others do.
    """

    if TYPE_CHECKING:  # at run time, dataclasses would take the property for a field's default

        @property
        def loss_mask(self) -> Tensor:
            """(B, T) bool: where a loss counts."""

    @abstractmethod
    def row_lengths(self) -> Tensor:
        """Return (B,): the tokens that a forward pass computes for each row, padding left out."""

    @abstractmethod
    def take(self, rows: Tensor) -> Self:
        """Return the rows of these indices, without needless padding."""

    @abstractmethod
    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""

    def split(self, tokens: int, a_pass: int = 1) -> Iterator[Self]:
        """Yield micro-batches of at most `tokens` padded tokens, or of one row.

        Rows of similar length are together, with little padding: see `partition`.
        """
        for rows in partition(self.row_lengths().cpu().clamp(min=1), tokens, a_pass):
            yield self.take(rows.to(self.loss_mask.device))

    def model_input(self) -> Batch:
        """Return the part of the batch that the model's forward pass reads."""
        return self

    def mask_for(self, reward: str | None) -> Tensor:
        """Return where a loss counts for a reward: (B, T) bool."""
        return self.loss_mask

    @property
    def facts(self) -> Mapping[str, Tensor]:
        """What conditions may name of the rows, (B, 1), and of their tokens, (B, T)."""
        return {}

    def with_readings(self, readings: Mapping[Reading, Tensor]) -> Self:
        """Return the batch with what a pass gave beside log-probabilities."""
        raise TypeError(f"a {type(self).__name__} has no readings of tokens")

    def with_known(self, known: Mapping[str, Tensor]) -> Self:
        """Return the batch with more facts of its rows or tokens."""
        raise TypeError(f"a {type(self).__name__} knows no facts")

    def with_reference(self, read: Callable[[Any], Tensor]) -> Self:
        """Return the batch with the frozen reference's log-probabilities.

        `read` returns them, (B, T), for tokens.
        """
        raise TypeError(f"a {type(self).__name__} has no log-probabilities")

    def with_references(self, reads: Mapping[str, Callable[[Any], Tensor]]) -> Self:
        """Return the batch with the log-probabilities of other references, by their names."""
        raise TypeError(f"a {type(self).__name__} is compared with the frozen start alone")

    def with_teachers(self, teachers: Mapping[str, Callable[[Any], Any]]) -> Self:
        """Return the batch with what passes over it ask for references' whole distributions."""
        raise TypeError(f"a {type(self).__name__} is compared with the frozen start alone")

    def with_start(self, read: Callable[[Any], Tensor]) -> Self:
        """Return the batch with what it needs of the learner as it is before several updates."""
        return self

    def contribution(self, forward: Callable[[Any], Tensor]) -> Tensor | None:
        """Return what all micro-batches of a step have to know of this one; None: nothing.

        `forward` is the trained model's. Called before each update, without gradients.
        """
        return None

    def completed(self, contributions: Sequence[Tensor]) -> Self:
        """Return the batch with what it needs of all contributions of the step: KTO's baseline.

        They are on the CPU, in no order.
        """
        return self

    def emptied(self) -> Self:
        """Return the batch with rows of which none counts: it only takes part in a forward pass."""
        raise TypeError(f"a {type(self).__name__} is not trained on by ranks that hold parts")
