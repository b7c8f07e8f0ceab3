"""What a run's metrics were before."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median

# Values kept of each metric: enough for the longest look back.
KEPT = 50
# A metric's start is its median over so many values: one batch alone is too noisy.
FIRST = 10


class History:
    """The newest values of every metric, and the median of its first ones.

    A metric that is not there at every step, as that of a term whose weight is 0 now and then, has
    its own steps: those at which it was there.
    """

    def __init__(self) -> None:
        self._newest: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._first: dict[str, list[float]] = defaultdict(list)

    def note(self, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a step."""
        for name, value in metrics.items():
            self._newest[name].append(value)
            if len(self._first[name]) < FIRST:
                self._first[name].append(value)

    def newest(self, name: str, count: int) -> list[float]:
        """Return the metric's `count` newest values, oldest first; fewer while there are fewer."""
        return list(self._newest.get(name, ()))[-count:]

    def above(self, name: str, limit: float, count: int) -> bool:
        """Whether each of the metric's `count` newest values is above `limit`."""
        values = self.newest(name, count)
        return len(values) == count and min(values) > limit

    def below(self, name: str, limit: float, count: int) -> bool:
        """Whether each of the metric's `count` newest values is below `limit`."""
        values = self.newest(name, count)
        return len(values) == count and max(values) < limit

    def start(self, name: str) -> float | None:
        """Return the median of the metric's FIRST values; None until there are so many."""
        values = self._first.get(name, [])
        return median(values) if len(values) == FIRST else None

    def first(self, name: str) -> float | None:
        """Return the metric's very first value."""
        return next(iter(self._first.get(name, [])), None)

    def usual(self, name: str, skip: int, count: int) -> float | None:
        """Return the median of up to `count` values from before the `skip` newest.

        0 counts for nothing, as at steps that had nothing to teach. None until FIRST are left.
        """
        values = [value for value in self.newest(name, skip + count)[:-skip] if value]
        return median(values) if len(values) >= FIRST else None
