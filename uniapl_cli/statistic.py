"""What is logged of a step's elements: means, maxima, effective sample sizes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Statistic(ABC):
    """A number of a step as the parts that it is made of: those of micro-batches join exactly."""

    @classmethod
    @abstractmethod
    def of(cls, values: Tensor, mask: Tensor) -> Statistic:
        """Return the statistic of the values where the mask, of the same shape, is True."""

    @abstractmethod
    def __add__(self, other: Any) -> Any:
        """Return the statistic of both."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The number."""

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Return the statistic with each of its parts changed."""
        return type(self)(*(change(getattr(self, part.name)) for part in fields(self)))


@dataclass(frozen=True)
class Mean(Statistic):
    """A mean before its division."""

    total: Tensor
    count: Tensor

    @classmethod
    def of(cls, values: Tensor, mask: Tensor) -> Mean:
        """Return the mean of the values where the mask is True."""
        return cls((values * mask).sum(), mask.sum())

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> float:
        """The mean; 0 when nothing was counted."""
        return float(self.total) / max(float(self.count), 1.0)


@dataclass(frozen=True)
class Maximum(Statistic):
    """The largest of values that are not below 0; 0 when nothing was counted."""

    largest: Tensor

    @classmethod
    def of(cls, values: Tensor, mask: Tensor) -> Maximum:
        """Return the largest of the values where the mask is True."""
        return cls((values * mask).max())

    def __add__(self, other: Maximum) -> Maximum:
        return Maximum(torch.maximum(self.largest, other.largest))

    @property
    def value(self) -> float:
        """The largest value."""
        return float(self.largest)


@dataclass(frozen=True)
class SampleSize(Statistic):
    """How evenly n weights are spread: their effective sample size, (sum w)^2 / sum w^2, over n.

    1, 1, 1, 1 gives 1; 4, 0, 0, 0 gives 1/4; nothing gives 1.
    """

    total: Tensor
    squares: Tensor
    count: Tensor

    @classmethod
    def of(cls, values: Tensor, mask: Tensor) -> SampleSize:
        """Return how evenly the values are spread where the mask is True."""
        weights = values * mask
        return cls(weights.sum(), weights.square().sum(), mask.sum())

    def __add__(self, other: SampleSize) -> SampleSize:
        squares = self.squares + other.squares
        return SampleSize(self.total + other.total, squares, self.count + other.count)

    @property
    def value(self) -> float:
        """The effective sample size as a share of the sample's."""
        squares = float(self.squares) * float(self.count)
        return float(self.total) ** 2 / squares if squares else 1.0
