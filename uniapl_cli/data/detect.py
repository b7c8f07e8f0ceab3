"""Detects the layout of a row by its columns."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError, nearest
from uniapl_cli.files import Row

# The layout "each": that of every row by its own columns, so one data set may hold several.
EACH = "each"
# How alike two names are of which one is taken for the other, misspelt.
ALIKE = 0.75


def detect(row: Row) -> str:
    """Return the layout of a row, by its columns.

    Of the layouts whose columns the row all has, those that another one is `over` give way; then
    the one with the most columns is taken. Raises DataError if there is none, or more than one.
    """
    names = _best(frozenset(row.values), tuple(layouts))
    if not names:
        raise _of_no_layout(row)
    if len(names) > 1:
        raise DataError(
            f"the columns fit more than one layout: {', '.join(names)}",
            "Set data.layout, or leave columns out with data.ignore",
            where=row.origin,
            got=sorted(row.values),
            allowed=names,
        )
    return names[0]


def fits_a_layout(columns: Iterable[str]) -> bool:
    """Whether a row of these columns is of a layout, or of several."""
    return bool(_best(frozenset(columns), tuple(layouts)))


@lru_cache(maxsize=1024)
def _best(present: frozenset[str], names: tuple[str, ...]) -> list[str]:
    fits = {
        name: max((len(needed) for needed in columns(name) if needed <= present), default=0)
        for name in names
    }
    fits = {name: count for name, count in fits.items() if count}
    beaten = {other for name in fits for other in layouts[name].traits.get("over", ())}
    fits = {name: count for name, count in fits.items() if name not in beaten}
    most = max(fits.values(), default=0)
    return [name for name, count in fits.items() if count == most]


def columns(layout: str) -> list[frozenset[str]]:
    """Return the sets of columns, each of which is enough for a layout."""
    return [frozenset(needed) for needed in layouts[layout].traits["columns"]]


def _of_no_layout(row: Row) -> DataError:
    present = sorted(row.values)
    layout, needed = max(
        ((name, needed) for name in layouts for needed in columns(name)),
        key=lambda pair: _likeness(pair[1], present),
    )
    missing = sorted(needed - row.values.keys())
    misspelt = {name: guess for name in missing if (guess := nearest(name, present, ALIKE))}
    problem = f"the columns {', '.join(present) or '(none)'} fit no layout"
    if misspelt or len(missing) < len(needed):
        lacks = ", ".join(map(repr, missing))
        has = f", not {', '.join(map(repr, misspelt.values()))}" if misspelt else ""
        problem += f". The nearest is '{layout}', which needs {lacks}{has}"
    return DataError(
        problem,
        f"These do: {_wanted()}",
        where=row.origin,
        got=present,
        allowed=list(layouts),
        suggestion=next(iter(misspelt), None),
    )


def _likeness(needed: Iterable[str], present: list[str]) -> tuple[int, float]:
    """Return how much of a layout's columns a row has; a misspelt name counts half."""
    alike = [
        1.0 if name in present else 0.5 if nearest(name, present, ALIKE) else 0.0 for name in needed
    ]
    return -alike.count(0.0), sum(alike)


def _wanted() -> str:
    return "; ".join(
        f"{' or '.join(' + '.join(sorted(s)) for s in columns(name)[:2])} ({name})"
        for name in layouts
        if columns(name)
    )
