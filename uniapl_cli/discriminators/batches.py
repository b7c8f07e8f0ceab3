"""Which rows of token ids are computed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

Row = tuple[int, ...]


def batches(
    indices: Iterable[int], widths: Sequence[int] | Mapping[int, int], budget: int
) -> Iterator[list[int]]:
    """Yield batches of indices, the widest first, of at most `budget` tokens or of one index.

    A batch takes its first width times its rows, and no row in it is less than half as wide.
    """
    batch: list[int] = []
    for index in sorted(indices, key=lambda i: -widths[i]):
        width = widths[batch[0]] if batch else 0
        if (len(batch) + 1) * width > budget or 2 * widths[index] < width:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
