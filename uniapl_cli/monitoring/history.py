"""The recent and the first values of a run's metrics."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median

# Values kept of each metric: enough for the check that looks back furthest.
KEPT = 50
# Values whose median is a metric's start: one batch alone is too noisy.
FIRST = 10


class History:
    """The newest values of every metric, and the median of its first ones.

    Steps without a metric, such as those at which its term's weight is 0, do not count for it.
    """

    def __init__(self) -> None:
        self._newest: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._first: dict[str, list[float]] = defaultdict(list)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a step."""
        for name, value in metrics.items():
            self._newest[name].append(value)
            if len(self._first[name]) < FIRST:
                self._first[name].append(value)

    def names(self) -> list[str]:
        """Return the names of all metrics so far."""
        return list(self._newest)

    def newest(self, name: str, count: int) -> list[float]:
        """Return up to `count` of the metric's newest values, oldest first."""
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
        """Return the median of the metric's first FIRST values; None until it has that many."""
        values = self._first.get(name, [])
        return median(values) if len(values) == FIRST else None

    def first(self, name: str) -> float | None:
        """Return the metric's first value; None if it has none."""
        return next(iter(self._first.get(name, [])), None)

    def usual(self, name: str, skip: int, count: int) -> float | None:
        """Return the median of up to `count` values before the `skip` newest; None below FIRST.

        Values of 0, from steps that had nothing to teach, are left out.
        """
        values = [value for value in self.newest(name, skip + count)[:-skip] if value]
        return median(values) if len(values) >= FIRST else None
