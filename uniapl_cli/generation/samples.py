"""Responses under way, and how long they are likely to become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(slots=True, eq=False)
class Sample:
    """One response under way: `tokens` and `logps` are what has been drawn, at most `limit`."""

    index: int
    number: int
    prompt_ids: tuple[int, ...]
    seed: int
    limit: int
    tokens: list[int] = field(default_factory=list)
    logps: list[float] = field(default_factory=list)
    stopped: bool = False

    @property
    def length(self) -> int:
        """Tokens of the prompt and of the response so far."""
        return len(self.prompt_ids) + len(self.tokens)


class Lengths:
    """Estimates how long responses become, at most `limit`, from those that came to an end.

    The rate at which responses of each length end (Kaplan and Meier, 1958), drawn towards the rate
    over all lengths as far as few have come so far.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._ended = np.zeros(limit + 1)
        self._reached = np.zeros(limit + 1)

    def add(self, length: int, *, stopped: bool) -> None:
        """Take a finished response; one that was not `stopped` was cut off at its length."""
        self._ended[length] += stopped
        self._reached[length] += 1

    def left(self, under_way: Sequence[int], responses: Iterable[tuple[int, int]]) -> float:
        """Return how many tokens are to come of `responses`: (length now, its limit).

        under_way: the lengths now of those that are being decoded.
        """
        reached = self._reached + np.bincount(under_way, minlength=self.limit + 1)
        at_risk = reached[::-1].cumsum()[::-1]
        # A guess to begin with: a quarter of the limit.
        rate = (self._ended.sum() + 0.5) / (at_risk[1:].sum() + 0.125 * self.limit)
        ending = (self._ended + rate) / (at_risk + 1)
        ending[0] = 0
        survival = (1 - ending).cumprod()
        reach = np.concatenate([[0.0], survival.cumsum()])  # of each length, summed below it
        return float(sum((reach[end] - reach[now]) / survival[now] for now, end in responses))
