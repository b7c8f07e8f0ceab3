"""Choosers decide which of a prompt's passing responses are kept: all, the first, the shortest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol, TextIO

from uniapl_cli.pipelines.filter_worker import JudgedRow

Keep = Literal["all", "first", "shortest"]


class Chooser(Protocol):
    """Takes the rows that pass, one by one, and writes those to keep; `kept` counts them."""

    kept: int

    def add(self, row: JudgedRow) -> None:
        """Take a row that passes."""
        ...

    def close(self) -> None:
        """Write what could not be decided before the last row."""
        ...


class KeepAll:
    """Keeps every row."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.kept = file, 0

    def add(self, row: JudgedRow) -> None:
        """Write the row."""
        self.file.write(row.line)
        self.kept += 1

    def close(self) -> None:
        """Do nothing: every row is written."""


class KeepFirst(KeepAll):
    """Keeps the first row of each prompt; one that was cut off only if there is no whole one."""

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        self.prompts: set[int] = set()
        self.cut_off: dict[int, JudgedRow] = {}

    def add(self, row: JudgedRow) -> None:
        """Write the row if it is its prompt's first."""
        if row.prompt_digest in self.prompts:
            return
        if not row.finished:
            self.cut_off.setdefault(row.prompt_digest, row)
            return
        self.prompts.add(row.prompt_digest)
        super().add(row)

    def close(self) -> None:
        """Write the rows that were cut off, of prompts without a whole one."""
        for prompt, row in self.cut_off.items():
            if prompt not in self.prompts:
                super().add(row)


class KeepShortest:
    """Keeps the shortest response of each prompt, the first of equals; holds one row a prompt.

    One that was cut off is kept only if there is no whole one.
    """

    def __init__(self, file: TextIO) -> None:
        self.file, self.kept = file, 0
        self.shortest: dict[int, JudgedRow] = {}

    def add(self, row: JudgedRow) -> None:
        """Hold the row if it is its prompt's shortest so far."""
        held = self.shortest.setdefault(row.prompt_digest, row)
        if (not row.finished, row.length) < (not held.finished, held.length):
            self.shortest[row.prompt_digest] = row

    def close(self) -> None:
        """Write the shortest rows, in the order in which their prompts first came."""
        for row in self.shortest.values():
            self.file.write(row.line)
        self.kept = len(self.shortest)


CHOOSERS: Mapping[Keep, Callable[[TextIO], Chooser]] = MappingProxyType(
    {"all": KeepAll, "first": KeepFirst, "shortest": KeepShortest}
)
