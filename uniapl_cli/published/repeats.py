"""Columns, and parts of them, that repeat another run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, groupby

from uniapl_cli.published.finding import Finding
from uniapl_cli.published.table import Published, Table, benchmarks_of, detailed

Column = tuple[Table, Published]


def _columns() -> list[Column]:
    return [(one, run) for one in detailed() for run in one.runs]


@cache
def mislabelled() -> dict[tuple[int, str], tuple[int, str]]:
    """Return the columns (table, run) whose every cell is that of another run's column.

    Of the two, wrong is the one whose label another table gives other figures.
    """
    found = {}
    for first, second in combinations(_columns(), 2):
        if first[1].run == second[1].run or first[1].values != second[1].values:
            continue
        for (one, run), (other, twin) in ((first, second), (second, first)):
            if any(mine != run for mine in _elsewhere(one, run)):
                found[one.number, run.run] = (other.number, twin.run)
    return found


def _elsewhere(one: Table, run: Published) -> Iterator[Published]:
    """Return the columns of the same run in other tables that have other figures."""
    for other, twin in _columns():
        if other.number != one.number and twin.run == run.run and twin.values != run.values:
            yield twin


def labels() -> Iterator[Finding]:
    """Find columns that are wholly another run's."""
    for (number, run), (there, other) in mislabelled().items():
        one = next(table for table in detailed() if table.number == number)
        twin = next(table for table in detailed() if table.number == there)
        mine = next(column for column in one.runs if column.run == run)
        rival = next(t for t, c in _columns() if c.run == run and t.number != number)
        what = (
            f"{one.named(run)}: all {len(mine.values)} figures are those of {twin.named(other)} in "
            f"Table {there}; {rival.named(run)} in Table {rival.number} has others"
        )
        places = tuple((number, run, measure) for measure in mine.values)
        yield Finding("label", f"Table {number}", what, places)


def repeats() -> Iterator[Finding]:
    """Find two or more neighbouring benchmarks that have the same figures in two runs."""
    for (one, run), (other, twin) in combinations(_columns(), 2):
        if run.run == twin.run or run.values == twin.values:
            continue
        for names in _shared(benchmarks_of(run), benchmarks_of(twin)):
            if len(names) > 1:
                yield _repeated(one, run, other, twin, names)


def _shared(mine: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[list[str]]:
    """Return the stretches of benchmarks, in the tables' order, that have the same figures."""
    for same, group in groupby(mine, lambda name: mine[name] == theirs[name]):
        if same:
            yield list(group)


def _repeated(
    one: Table, run: Published, other: Table, twin: Published, names: list[str]
) -> Finding:
    listed = ", ".join(f"{one.label(name)} {run.values[name]}" for name in names)
    places = [(one.number, run.run, name) for name in names]
    places += [(other.number, twin.run, name) for name in names]
    if one.number == other.number:
        where = f"Table {one.number}"
        what = f"{one.named(run.run)} and {one.named(twin.run)} both have {listed}"
    else:
        where = f"Tables {one.number} and {other.number}"
        what = (
            f"{one.named(run.run)} in Table {one.number} and {other.named(twin.run)} in Table "
            f"{other.number} both have {listed}"
        )
    return Finding("repeat", where, what, tuple(places))
