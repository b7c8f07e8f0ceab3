"""What flows through training: TokenBatch -> TokenLoss -> Mean. Shapes are checked here, once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor


class Batch(ABC):
    """Rows of places where a loss may count. Any split of the rows is a batch again.

    A batch answers for itself: training asks it, and never what kind it is.
    """

    if TYPE_CHECKING:  # at run time a dataclass would take this property for its field's default

        @property
        def mask(self) -> Tensor:
            """(B, T) bool: the places that count."""

    @abstractmethod
    def split(self, rows: int) -> Iterator[Self]:
        """Yield micro-batches of at most `rows` rows."""

    @abstractmethod
    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""

    def model_input(self) -> Batch:
        """Return what the model reads of the batch."""
        return self

    def mask_for(self, reward: str | None) -> Tensor:
        """Return the mask, (B, T) bool, of the places that count for a reward."""
        return self.mask

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> Self:
        """Return the batch with the log-probabilities (B, T) that the frozen reference `read`s."""
        raise TypeError(f"a {type(self).__name__} has no log-probabilities")

    @classmethod
    def complete(cls, micros: Sequence[Self], forward: Callable[[Any], Tensor]) -> Sequence[Self]:
        """Return the micro-batches of a step with what each must know of all of them.

        `forward` is the model that is trained; it is asked anew before each update.
        """
        return micros


# The fields of a TokenBatch that hold a (B,) tensor for each reward.
MAPS = ("advantages", "counted")


@dataclass(frozen=True)
class TokenBatch(Batch):
    """Token sequences, padded on the right, and what the objectives need to know of each token.

    tokens: (B, T+1) ids. mask: (B, T) bool; `mask[b, t]` says that predicting `tokens[b, t+1]`
    counts. old_logps, ref_logps: (B, T) log-probabilities under the sampler and under the frozen
    reference. advantages: (B,) for each reward. counted: (B,) bool for a reward some of whose rows
    do not count, zero-variance groups that are dropped. temperature divides the logits, as it did
    when the tokens were sampled. A causal model never looks right, so no attention mask is needed.
    """

    tokens: Tensor
    mask: Tensor
    old_logps: Tensor | None = None
    ref_logps: Tensor | None = None
    advantages: Mapping[str, Tensor] = field(default_factory=dict)
    counted: Mapping[str, Tensor] = field(default_factory=dict)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        rows, width = self.tokens.shape
        shape = (rows, width - 1)
        if self.mask.shape != shape or self.mask.dtype is not torch.bool:
            raise ValueError(f"mask must be bool {shape}, got {self.mask.dtype} {self.mask.shape}")
        for name in ("old_logps", "ref_logps"):
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must be {shape}, got {tuple(value.shape)}")
        for name in MAPS:
            for reward, value in getattr(self, name).items():
                if value.shape != (rows,):
                    raise ValueError(f"{name}['{reward}'] must be ({rows},), got {value.shape}")

    def split(self, rows: int) -> Iterator[TokenBatch]:
        """Yield micro-batches of at most `rows` rows of similar length, each cut to its longest."""
        order = torch.argsort(last_true(self.mask), descending=True, stable=True)
        for index in order.split(rows):
            yield self.take(index)

    def take(self, rows: Tensor) -> TokenBatch:
        """Return the rows of these places, cut to their longest."""
        width = max(int(last_true(self.mask[rows]).max()), 1)
        widths = {"tokens": width + 1}

        def cut(name: str, value: Tensor) -> Tensor:
            return value[rows][:, : widths.get(name, width)] if value.dim() == 2 else value[rows]

        return self._each(cut)

    def to(self, device: torch.device) -> TokenBatch:
        """Return the batch on `device`."""
        return self._each(lambda name, value: value.to(device, non_blocking=True))

    def mask_for(self, reward: str | None) -> Tensor:
        """Return the mask without the rows that do not count for the reward."""
        counted = self.counted.get(reward or "")
        return self.mask if counted is None else self.mask & counted.unsqueeze(1)

    def with_reference(self, read: Callable[[TokenBatch], Tensor]) -> TokenBatch:
        """Return the batch with the reference's log-probabilities."""
        return replace(self, ref_logps=read(self))

    def _each(self, change: Callable[[str, Tensor], Tensor]) -> TokenBatch:
        """Return the batch with `change(field's name, tensor)` in place of every tensor."""
        new: dict[str, Any] = {
            name: {key: change(name, value) for key, value in getattr(self, name).items()}
            for name in MAPS
        }
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                new[item.name] = change(item.name, value)
        return replace(self, **new)


@dataclass(frozen=True)
class TokenLoss:
    """A loss for each place of a batch's mask, and what to log about it. Both (B, T)."""

    per_token: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean:
    """A mean that is not yet divided, so that adding two is exact over micro-batches and ranks."""

    total: Tensor
    count: Tensor

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> float:
        """The mean; 0 when nothing was counted."""
        return float(self.total) / max(float(self.count), 1.0)


def last_true(mask: Tensor) -> Tensor:
    """(B, T) -> (B,): one more than the place of each row's last True, 0 where there is none."""
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask * places).amax(1)
