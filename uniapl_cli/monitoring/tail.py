"""The lines of a file that a run is writing, a step's at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import inf
from pathlib import Path
from typing import Any

from uniapl_cli.files import parse_row

Line = tuple[int, int, dict[str, Any]]


class Tail:
    """The steps of a JSONL file that were not handed out yet. There may be no such file yet."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def steps(self, before: float = inf) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield each step's number and its rows, of steps less than `before`.

        A step whose handling raises is handed out again. A last line that is not whole is left for
        later. Raises DataError for a line that is no step's.
        """
        for step, lines in groupby(self._lines(), key=lambda line: line[0]):
            if step >= before:
                return
            found = list(lines)
            yield step, [row for _, _, row in found]
            self.offset = found[-1][1]

    def _lines(self) -> Iterator[Line]:
        """Yield the step, the end in bytes and the values of each new line."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self.offset)
            end = self.offset
            for line in file:
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                values = parse_row(line, str(self.path)).values
                yield int(values.pop("step")), end, values
