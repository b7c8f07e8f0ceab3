"""What a scorer reads together: rows of about the same length, behind a prefix that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

# Tokens that take as long as a further pass does, beside what it reads.
PASS_COST = {"cpu": 32, "cuda": 1024}


@dataclass(frozen=True, slots=True)
class Row:
    """A context, and options that are read behind it, each as if it were alone.

    options: (number of the option, its ids). An option's last token is not read, so that options of
    one token cost nothing.
    """

    request: int
    context: np.ndarray
    options: tuple[tuple[int, Sequence[int]], ...]

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return len(self.context) + sum(len(ids) - 1 for _, ids in self.options)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows whose first `shared` ids are the same; they are read once, in front of the rows."""

    shared: int
    rows: list[Row]

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return self.shared + sum(row.length - self.shared for row in self.rows)


def rows_of(
    request: int, context: Sequence[int], options: Sequence[Sequence[int]], *, longest: int
) -> list[Row]:
    """Return the rows in which a request's options are read.

    All are in one row where that has at most `longest` tokens; else each has its own, but for those
    of one token.
    """
    ids, numbered = np.array(context, dtype=np.int32), tuple(enumerate(options))
    whole = Row(request, ids, numbered)
    branches = [option for option in numbered if len(option[1]) > 1]
    if len(branches) < 2 or whole.length <= longest:
        return [whole]
    short = tuple(option for option in numbered if len(option[1]) == 1)
    first, *others = branches
    return [Row(request, ids, (*short, first)), *(Row(request, ids, (one,)) for one in others)]


def groups(rows: Sequence[Row], cost: int) -> list[Group]:
    """Group rows by prefixes, each with all rows that begin with it, to read the fewest tokens.

    cost: the tokens that a further group has to save. Rows without a group are together in one, of
    which nothing is shared. Those with the longest rows are in front.
    """
    ordered = sorted(rows, key=lambda row: row.context.tobytes())
    found = []
    alone, end = [], 0
    for first, last, shared in _ranges(list(map(_shared, ordered, ordered[1:])), cost):
        alone += ordered[end:first]
        found.append(Group(shared, ordered[first:last]))
        end = last
    if alone := alone + ordered[end:]:
        found.append(Group(0, alone))
    return sorted(found, key=lambda group: -max(row.length for row in group.rows))


def batches(group: Group, *, tokens: int, held: int, cost: int) -> Iterator[list[Row]]:
    """Yield the group's rows in batches, the longest first; of one row at the least.

    tokens: most that are read in a batch, padding included. held: most that are kept, the prefix's
    included. A batch of `cost` tokens or more has no row that is less than half as long as others.
    """
    batch: list[Row] = []
    for row in sorted(group.rows, key=lambda row: -row.length):
        width = batch[0].length - group.shared if batch else 0
        full = (len(batch) + 1) * width > tokens or (len(batch) + 1) * (width + group.shared) > held
        padded = 2 * (row.length - group.shared) < width and len(batch) * width >= cost
        if batch and (full or padded):
            yield batch
            batch = []
        batch.append(row)
    yield batch


def _shared(one: Row, other: Row) -> int:
    """Return how many ids two rows can share: a row's last one of its context stays its own."""
    length = min(len(one.context), len(other.context)) - 1
    differ = np.flatnonzero(one.context[:length] != other.context[:length])
    return int(differ[0]) if len(differ) else length


@dataclass
class _Open:
    """Neighbours that share `shared` ids, from row `first` on, and what is best within them."""

    shared: int
    first: int
    saved: int = 0
    ranges: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, part: tuple[int, list[tuple[int, int, int]]]) -> None:
        """Take what is best within a part of the rows."""
        self.saved += part[0]
        self.ranges += part[1]

    def closed(self, last: int, cost: int) -> tuple[int, list[tuple[int, int, int]]]:
        """Return what is best for the rows up to `last`: to share all together, or by parts."""
        together = self.shared * (last - self.first - 1) - cost
        if together > self.saved:
            return together, [(self.first, last, self.shared)]
        return self.saved, self.ranges


def _ranges(shared: Sequence[int], cost: int) -> list[tuple[int, int, int]]:
    """Return (first, last, shared ids) of the groups of rows that together save the most tokens.

    shared: of each row and the next in order, the ids that they share. The groups are nested like
    brackets, so what is best within one does not depend on the rows around it.
    """
    opened = [_Open(0, 0)]
    for row, ids in enumerate([*shared, 0]):
        while opened[-1].shared > ids:
            node = opened.pop()
            if opened[-1].shared < ids:
                opened.append(_Open(ids, node.first))
            opened[-1].add(node.closed(row + 1, cost))
        if opened[-1].shared < ids:
            opened.append(_Open(ids, row))
    return opened[0].ranges
