"""The section of analyses: their figures in tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uniapl_cli.analysis.report import grid, title, words
from uniapl_cli.errors import DataError
from uniapl_cli.pages.html import Html, element
from uniapl_cli.pages.study import Written
from uniapl_cli.pages.tables import table


def analyses(found: Sequence[Written]) -> list[Html]:
    """Return a table an analysis, and why figures are missing. Raises DataError."""
    return [part for one in found for part in _parts(one)]


def _parts(one: Written) -> Iterator[Html]:
    where = one.name.removeprefix(one.file.stem)
    try:
        yield table(f"{title(one.result)}{where}", *grid(one.result))
        for said in words(one.result):
            yield element("p", said, class_="aside")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        advice = f"Run uniapl analyse {one.file.stem} again"
        raise DataError(f"'{one.file}' is not whole", advice, got=str(one.file)) from None
