"""Console output: messages, progress and tables."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from uniapl_cli.errors import without_secrets


class _Talk:
    """Standard error until it fails: a terminal may close, or a log's disk be full."""

    quiet = False

    def write(self, text: str) -> int:
        """Write a text, or fall silent."""
        if self.quiet:
            return len(text)
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  for the rest of the process
        return len(text)

    def flush(self) -> None:
        """Do nothing: every text is flushed."""

    def isatty(self) -> bool:
        """Whether there is a terminal, and it is to see something."""
        # There is none where the program was started with a closed one.
        return not self.quiet and sys.stderr is not None and sys.stderr.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


_talk = _Talk()
messages = Console(file=cast(TextIO, _talk), highlight=False, markup=False, emoji=False)


def be_quiet(quiet: bool = True) -> None:
    """Print no messages from now on, or again: of several processes only one talks."""
    _talk.quiet = quiet


# Seconds between plain lines where there is no terminal to draw a bar on.
PLAIN_INTERVAL = 10.0


def set_up_logging() -> None:
    """Send the program's warnings to stderr, one line each."""
    logger = logging.getLogger("uniapl")
    logger.handlers[:] = [_ConsoleHandler()]
    logger.propagate = False
    logger.setLevel(logging.INFO)


class _ConsoleHandler(logging.Handler):
    """Prints above the progress bar, if there is one, without breaking lines."""

    def emit(self, record: logging.LogRecord) -> None:
        name = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        messages.print(f"{name}{without_secrets(record.getMessage())}", soft_wrap=True)


class Bar:
    """A progress bar with ETA on a terminal; a line now and then elsewhere."""

    def __init__(self, title: str, total: int | None, done: int = 0) -> None:
        self.title, self.total, self.done = title, total, done
        self.started, self.first = time.monotonic(), done
        self.printed, self.note = self.started, ""
        self.begun: tuple[float, int] | None = None  # when the first tokens were reported
        self.drawn: int | None = None  # tokens, where they are reported
        self.due: float | None = None
        self.last: int | None = None  # what the last line said
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            _Remaining(self),
            TextColumn("{task.fields[note]}"),
            console=messages,
            disable=not messages.is_terminal,
        )
        self.task = self.progress.add_task(title, total=total, completed=done, note="")

    def start(self, done: int) -> None:
        """Begin at `done`, which an earlier run did: they do not count for the ETA."""
        self.done = self.first = done
        self.started = time.monotonic()
        self.progress.reset(self.task, completed=done, total=self.total)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Add `count` to what is done; show `note` beside the bar."""
        self.done += count
        self.note = note
        self._show(time.monotonic())

    def tokens(self, drawn: int, left: float) -> None:
        """Take the ETA from tokens: those drawn so far, and those that are likely to come."""
        now = time.monotonic()
        self.begun = self.begun or (now, drawn)
        if drawn > self.begun[1]:
            pace = (drawn - self.begun[1]) / (now - self.begun[0])
            self.due = now + left / pace
        self.drawn = drawn
        self._show(now)

    def seconds_left(self, now: float) -> float | None:
        """Return the ETA, if anything is known of it. `now` is on the monotonic clock."""
        done = self.done - self.first
        if self.due is not None:
            return max(0.0, self.due - now)
        if not self.total or done == 0:
            return None
        return (now - self.started) / done * (self.total - self.done)

    def end(self) -> None:
        """Print where it ended, if it has printed a line that is no longer true."""
        if self.last is not None and self.last != self.done:
            self._print(time.monotonic())

    def _show(self, now: float) -> None:
        self.progress.update(self.task, completed=self.done, note=self._note())
        if not messages.is_terminal and now - self.printed >= PLAIN_INTERVAL:
            self._print(now)

    def _note(self) -> str:
        return self.note or ("" if self.drawn is None else f"{self.drawn} tokens")

    def _print(self, now: float) -> None:
        self.printed, self.last = now, self.done
        left = self.seconds_left(now)
        eta = "" if left is None else f", {left:.0f} s left"
        line = f"{self.title}: {self.done}/{self.total}{eta} {self._note()}"
        messages.print(line.rstrip(), soft_wrap=True)


class _Remaining(ProgressColumn):
    """The bar's own ETA."""

    def __init__(self, shown: Bar) -> None:
        super().__init__()
        self.shown = shown

    def render(self, _task: Task) -> Text:
        """Return the time that is left."""
        left = self.shown.seconds_left(time.monotonic())
        return Text("-:--:--" if left is None else str(timedelta(seconds=round(left))))


@contextmanager
def bar(title: str, total: int | None, done: int = 0) -> Iterator[Bar]:
    """Show a progress bar while the block runs."""
    shown = Bar(title, total, done)
    with shown.progress:
        try:
            yield shown
        finally:
            shown.end()


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    figures: bool = True,
    folds: bool = False,
) -> Table:
    """Return a table; with `figures`, all columns but the first are right-aligned numbers.

    The first column keeps its width, or `folds` so that all others keep theirs.
    """
    grid = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        right = figures and index > 0
        grid.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=(index == 0) != folds,
            overflow="fold" if folds else "ellipsis",
        )
    for row in rows:
        grid.add_row(*map(escape, row))
    return grid


def progress_note(metrics: Mapping[str, float], names: Sequence[str]) -> str:
    """Return those of the named metrics that exist, for a progress bar."""
    return "  ".join(f"{name} {metrics[name]:.3g}" for name in names if name in metrics)
