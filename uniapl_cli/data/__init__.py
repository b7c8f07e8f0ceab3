"""Rows of files to Examples, and Examples to TokenBatches."""

from uniapl_cli.data import autoif as autoif
from uniapl_cli.data import chat as chat
from uniapl_cli.data import if_multi as if_multi
from uniapl_cli.data import multi_if as multi_if
from uniapl_cli.data.examples import Examples, Tolerance, attempt, check, layout_of, read_examples
from uniapl_cli.data.layouts import layouts
from uniapl_cli.data.rows import BadRow, Rows, open_rows

__all__ = [
    "BadRow",
    "Examples",
    "Rows",
    "Tolerance",
    "attempt",
    "check",
    "layout_of",
    "layouts",
    "open_rows",
    "read_examples",
]
