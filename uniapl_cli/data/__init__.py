"""Reads rows of files as examples. `collate` (torch) and `encode` (tokenizer) are not imported."""

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
