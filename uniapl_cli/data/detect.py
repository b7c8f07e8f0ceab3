"""Which layout a row has."""

from __future__ import annotations

from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row


def detect(row: Row) -> str:
    """Return the name of the layout whose columns the row has most of. Raises DataError."""
    fits = {
        name: max((len(needed) for needed in sets if needed <= set(row.values)), default=0)
        for name in layouts
        if (sets := layouts[name].facts["columns"])
    }
    best = max(fits.values(), default=0)
    found = [name for name, count in fits.items() if count == best]
    if best == 0:
        wanted = "; ".join(
            f"{name}: {' or '.join('+'.join(sorted(s)) for s in layouts[name].facts['columns'])}"
            for name in layouts
        )
        raise DataError(f"{row.origin}: columns {sorted(row.values)} fit no layout ({wanted})")
    if len(found) > 1:
        raise DataError(f"{row.origin}: it could be {' or '.join(found)}: set data.layout")
    return found[0]
