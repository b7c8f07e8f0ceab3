"""Reads rows of files as examples. `collate` (torch) and `encode` (tokenizer) are not imported."""

from uniapl_cli.data.examples import BadRows, read_examples, row_reader
from uniapl_cli.data.layouts import layouts
from uniapl_cli.data.opening import open_rows, paths_named
from uniapl_cli.data.options import DataOptions
from uniapl_cli.data.reader import RowReader
from uniapl_cli.data.rows import BadRow, Rows

__all__ = [
    "BadRow",
    "BadRows",
    "DataOptions",
    "RowReader",
    "Rows",
    "layouts",
    "open_rows",
    "paths_named",
    "read_examples",
    "row_reader",
]
