"""Detects the layout of a row by its columns."""

from __future__ import annotations

from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row


def detect(row: Row) -> str:
    """Return the layout with the most columns among those whose columns the row all has.

    Raises DataError if there is none, or more than one."""
    present = set(row.values)
    fits = {
        name: max((len(needed) for needed in sets if needed <= present), default=0)
        for name in layouts
        if (sets := layouts[name].traits["columns"])
    }
    best = max(fits.values(), default=0)
    names = [name for name, count in fits.items() if count == best]
    if best == 0:
        raise DataError(
            f"the columns {', '.join(sorted(present))} fit no layout",
            f"These do: {_wanted()}",
            where=row.origin,
            got=sorted(present),
            allowed=list(layouts),
        )
    if len(names) > 1:
        raise DataError(
            f"the columns fit more than one layout: {', '.join(names)}",
            "Set data.layout",
            where=row.origin,
            got=sorted(present),
            allowed=names,
        )
    return names[0]


def _wanted() -> str:
    return "; ".join(
        f"{' or '.join(' + '.join(sorted(s)) for s in layouts[name].traits['columns'])} ({name})"
        for name in layouts
    )
