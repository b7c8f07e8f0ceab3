"""Which rows of token ids are computed together, and what they have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Row = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """Rows that begin alike: their places, and how many ids they share."""

    places: tuple[int, ...]
    shared: int


def families(rows: Sequence[Row], separator: int) -> list[Family]:
    """Group the rows that are the same up to the separator, and measure what they share.

    It is ids that are compared: texts that begin alike need not be cut into tokens alike. Each row
    keeps at least its last id to itself, and a row without siblings shares nothing.
    """
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        groups[row[: row.index(separator) + 1]].append(place)
    found = []
    for places in groups.values():
        members = [rows[place] for place in places]
        # Of sorted rows, the first and the last differ earliest.
        pairs = zip(min(members), max(members), strict=False)
        shortest = min(map(len, members))
        common = next((i for i, (a, b) in enumerate(pairs) if a != b), shortest)
        shared = min(common, shortest - 1) if len(places) > 1 else 0
        found.append(Family(tuple(places), shared))
    return found


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
