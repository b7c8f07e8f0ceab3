"""What the scorer computes together, decided before anything is computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from uniapl_cli.discriminators.batches import Row, batches


@dataclass(frozen=True)
class PrefixGroup:
    """Rows with one prefix. shared_lengths: index of the row -> ids it shares with the prefix."""

    prefix: Row
    shared_lengths: dict[int, int]


@dataclass(frozen=True)
class GroupBatch:
    """Groups whose prefixes are held at a time, and the batches of their rows' ends, by index."""

    groups: list[PrefixGroup]
    batches: list[list[int]]


@dataclass(frozen=True)
class ScoringPlan:
    """How rows are scored: batches of whole rows by index, and of rows behind shared prefixes."""

    whole: list[list[int]]
    shared: list[GroupBatch]


def plan_scoring(
    rows: Sequence[Row], prefixes: Sequence[Row], *, budget: int, smallest_group: int | None
) -> ScoringPlan:
    """Plan the scoring of rows in batches of at most `budget` tokens, padding included.

    prefixes: for each row, the longest prefix it can share with other candidates of its prompt.
    Groups of fewer than `smallest_group` rows are computed whole; with None, all rows are.
    """
    groups = [] if smallest_group is None else prefix_groups(rows, prefixes)
    groups = [group for group in groups if len(group.shared_lengths) >= (smallest_group or 0)]
    grouped = {index for group in groups for index in group.shared_lengths}
    single = [index for index in range(len(rows)) if index not in grouped]
    whole = list(batches(single, [len(row) for row in rows], budget))
    widths = [len(group.prefix) for group in groups]
    chosen = batches(range(len(groups)), widths, budget)
    return ScoringPlan(
        whole, [_group_batch([groups[i] for i in indices], rows, budget) for indices in chosen]
    )


def _group_batch(groups: list[PrefixGroup], rows: Sequence[Row], budget: int) -> GroupBatch:
    """Batch the ends of the groups' rows: each is computed behind the longest prefix's width."""
    width = max(len(group.prefix) for group in groups)
    widths = {
        index: width + len(rows[index]) - shared
        for group in groups
        for index, shared in group.shared_lengths.items()
    }
    return GroupBatch(groups, list(batches(widths, widths, budget)))


def prefix_groups(rows: Sequence[Row], prefixes: Sequence[Row]) -> list[PrefixGroup]:
    """Group the rows that have the same prefix, and count the ids they share with it.

    Equal text prefixes can tokenise differently, so ids are compared, not text. Each row keeps at
    least its last id to itself; a row that shares no id with its prefix is in no group.
    """
    groups: dict[Row, dict[int, int]] = defaultdict(dict)
    for index, (row, prefix) in enumerate(zip(rows, prefixes, strict=True)):
        pairs = enumerate(zip(row[:-1], prefix, strict=False))
        if shared := next((i for i, (a, b) in pairs if a != b), min(len(row) - 1, len(prefix))):
            groups[prefix][index] = shared
    return [PrefixGroup(prefix, lengths) for prefix, lengths in groups.items()]
