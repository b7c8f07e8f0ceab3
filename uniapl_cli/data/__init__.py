"""Rows of files to examples. What needs torch (`collate`) or a tokenizer (`encode`) is apart."""

from uniapl_cli.data import autoif as autoif
from uniapl_cli.data import chat as chat
from uniapl_cli.data import if_multi as if_multi
from uniapl_cli.data import multi_if as multi_if
from uniapl_cli.data.examples import BadRows, layout_of, read_examples, read_or_bad
from uniapl_cli.data.layouts import layouts
from uniapl_cli.data.options import DataOptions
from uniapl_cli.data.rows import BadRow, Rows, open_rows

__all__ = [
    "BadRow",
    "BadRows",
    "DataOptions",
    "Rows",
    "layout_of",
    "layouts",
    "open_rows",
    "read_examples",
    "read_or_bad",
]
