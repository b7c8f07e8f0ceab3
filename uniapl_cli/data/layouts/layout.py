"""The registry of layouts: a function a data set, which reads a row as an Example."""

from __future__ import annotations

from collections.abc import Callable

from uniapl_cli.data import columns
from uniapl_cli.files import Row
from uniapl_cli.registry import Registry
from uniapl_cli.types import Example

Layout = Callable[[Row, columns.Build], Example]

# Trait `columns`: sets of columns; a row that has all of one set may be of the layout.
# None where a row cannot say so by its columns: such a layout is named in data.layout.
# Trait `over`: layouts that give way where a row may be of either.
# Trait `turns`: the column whose turns may each be learnt, with data.assistant_turns=all.
layouts: Registry[Layout] = Registry("layout")
