"""The log of one of several processes: RUN/logs/rank-1.log."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from uniapl_cli.errors import without_secrets


class RankLog(logging.Handler):
    """Keeps what the program says, each line with its time; in memory until it is opened."""

    def __init__(self, rank: int) -> None:
        super().__init__(logging.INFO)
        self.rank = rank
        self.path: Path | None = None
        self._file: TextIO | None = None
        self._early: list[str] = []

    def open(self, folder: Path) -> None:
        """Write to a file of this rank in a folder from now on; what has been said goes first."""
        with suppress(OSError):  # a log that cannot be written stops no run
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder / f"rank-{self.rank}.log"
            self._file = self.path.open("a", encoding="utf-8")
        early, self._early = self._early, []
        for line in early:
            self._write(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.keep(f"{record.levelname.lower()}: {record.getMessage()}")

    def keep(self, text: str) -> None:
        """Keep a text."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write(f"{now} {without_secrets(text)}\n")

    def _write(self, line: str) -> None:
        if self._file is None:
            self._early.append(line)
            return
        with suppress(OSError):
            self._file.write(line)
            self._file.flush()
