"""Which rows of token ids are computed together, and what they have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Row = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """Rows that begin as one prefix does: their places, and how far each of them does."""

    prefix: Row
    shared: dict[int, int]


def families(rows: Sequence[Row], prefixes: Sequence[Row]) -> list[Family]:
    """Group the rows that have the same prefix, and measure what they share with it.

    Equal text prefixes can tokenise differently, so ids are compared, not text. Each row keeps at
    least its last id to itself; one that shares nothing with its prefix is in no family.
    """
    groups: dict[Row, dict[int, int]] = defaultdict(dict)
    for place, (row, prefix) in enumerate(zip(rows, prefixes, strict=True)):
        pairs = enumerate(zip(row[:-1], prefix, strict=False))
        if shared := next((i for i, (a, b) in pairs if a != b), min(len(row) - 1, len(prefix))):
            groups[prefix][place] = shared
    return [Family(prefix, shared) for prefix, shared in groups.items()]


def batches(places: Iterable[int], widths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield places, widest first, at most `budget` of width times rows, or one place.

    The first of a batch is its width, and none in it is less than half as wide.
    """
    batch: list[int] = []
    for place in sorted(places, key=lambda i: -widths[i]):
        width = widths[batch[0]] if batch else 0
        if (len(batch) + 1) * width > budget or 2 * widths[place] < width:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
