"""Rows of files to Examples, and Examples to TokenBatches."""

from uniapl_cli.data import chat as chat
from uniapl_cli.data import if_multi as if_multi
from uniapl_cli.data.layouts import layouts, read_examples

__all__ = ["layouts", "read_examples"]
