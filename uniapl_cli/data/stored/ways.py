"""How a data set becomes examples with token ids: in memory, from an entry, or into a new one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.data.collector import paused
from uniapl_cli.data.columns import Build
from uniapl_cli.data.encode import Answer, Encoded, Encoder, chunks, encode, prompt_key
from uniapl_cli.data.examples import BadRows, ExampleReader
from uniapl_cli.data.rows import Rows
from uniapl_cli.data.stored.arrow import (
    ItemWriter,
    RowWriter,
    StoredExamples,
    StoredItems,
    Unstorable,
)
from uniapl_cli.data.stored.cache import ITEMS, ROWS, Cache, Entry, Scratch, size_of
from uniapl_cli.data.stored.report import Report, recording
from uniapl_cli.folders import failed_write
from uniapl_cli.runs.console import bar
from uniapl_cli.types import Example

log = logging.getLogger("uniapl")


@dataclass(frozen=True)
class Recipe:
    """How a data set's rows are read and encoded. `title` is what bars and messages call it."""

    title: str
    chat: Chat
    build: Build
    layout: str
    ignore: tuple[str, ...] = ()
    every_turn: bool = False
    answers: tuple[Answer, ...] = ()

    def reader(self, layout: str | None = None) -> ExampleReader:
        """Return a new reader of the rows, also of a layout that was found out before."""
        return ExampleReader(
            layout or self.layout,
            self.build,
            ignore=self.ignore,
            learnt="response" in self.answers,
            every_turn=self.every_turn,
        )


class InMemory:
    """Reads and encodes a data set into lists."""

    def __init__(self, recipe: Recipe, rows: Rows) -> None:
        self.recipe = recipe
        self.rows: Rows | None = rows

    @paused()
    def examples(self, bad: BadRows) -> Sequence[Example]:
        """Return the examples of all good rows; `bad` takes the others. Raises DataError."""
        rows, self.rows = self.rows, None  # some hold a whole file
        assert rows is not None, "they are read once"
        found: list[Example] = []
        with bar(f"read {self.recipe.title}", len(rows)) as progress:
            for _, examples in self.recipe.reader().good(rows, bad, progress):
                found += examples
        return found

    def items(self, examples: Sequence[Example], bad: BadRows) -> Sequence[Encoded]:
        """Return the examples with their ids; `bad` takes those that the template refuses."""
        with bar(f"encode {self.recipe.title}", len(examples)) as progress:
            return encode(self.recipe.chat, examples, self.recipe.answers, progress, bad)

    def close(self) -> None:
        """Do nothing."""


class FromEntry:
    """Takes a data set from an entry, and reports again what making it has reported."""

    def __init__(self, recipe: Recipe, entry: Entry) -> None:
        self.recipe, self.entry = recipe, entry

    def examples(self, bad: BadRows) -> Sequence[Example]:
        """Return the examples; `bad` takes the rows that were bad. Raises DataError."""
        record, folder = self.entry.record, self.entry.folder
        text = "'%s' is as it was encoded on %s, from '%s'"
        log.info(text, self.recipe.title, record["made"], folder)
        Report.of(record["read"]).repeat(bad)
        return StoredExamples(folder / ROWS, self.recipe.reader(record["layout"]))

    def items(self, examples: Sequence[Example], bad: BadRows) -> Sequence[Encoded]:
        """Return the items; `bad` takes the rows that the template has refused."""
        assert isinstance(examples, StoredExamples), "they are of this entry"
        Report.of(self.entry.record["encoded"]).repeat(bad)
        return StoredItems(self.entry.folder / ITEMS, examples, self.entry.lock)

    def close(self) -> None:
        """Do nothing: the items hold the lock."""


class IntoEntry:
    """Reads and encodes a data set into a new entry, through files: no list holds all rows.

    Where a file cannot be written, this says so, and goes on in memory. `unchanged`: whether the
    data are still those that `depends` names.
    """

    def __init__(
        self,
        plain: InMemory,
        cache: Cache,
        depends: Mapping[str, Any],
        unchanged: Callable[[], bool],
    ) -> None:
        self.plain, self.recipe, self.cache = plain, plain.recipe, cache
        self.depends, self.unchanged = depends, unchanged
        self.scratch: Scratch | None = None
        self.record: dict[str, Any] = {"depends": depends}
        self.repeated: set[int] = set()  # of prompts, as Encoder takes them

    def examples(self, bad: BadRows) -> Sequence[Example]:
        """Return the examples of all good rows; `bad` takes the others. Raises DataError."""
        with self._writing(bad) as report:
            self.scratch = Scratch(self.cache.folder)
            reader = self._write_rows(self.scratch.folder / ROWS, bad)
            self.record |= {"read": report.plain(bad), "layout": reader.reader.layout}
            stored = StoredExamples(self.scratch.folder / ROWS, reader)
        if self.scratch is None:
            return self.plain.examples(bad)
        if not self.unchanged():
            self._say("the data have changed while they were read")
            self.record.clear()
        self.plain.rows = None
        return stored

    @paused()
    def _write_rows(self, path: Path, bad: BadRows) -> ExampleReader:
        reader, writer, rows = self.recipe.reader(), RowWriter(path), self.plain.rows
        assert rows is not None, "they are read once"
        seen: set[int] = set()
        with bar(f"read {self.recipe.title}", len(rows)) as progress:
            for row, examples in reader.good(rows, bad, progress):
                writer.add(row, len(examples))
                for key in map(hash, map(prompt_key, examples)):
                    (self.repeated if key in seen else seen).add(key)
        writer.close()
        return reader

    def items(self, examples: Sequence[Example], bad: BadRows) -> Sequence[Encoded]:
        """Return the examples with their ids; `bad` takes those that the template refuses."""
        if self.scratch is None:
            return self.plain.items(examples, bad)
        folder, lock = self.scratch.folder, self.scratch.lock
        with self._writing(bad) as report:
            self._write_items(folder / ITEMS, examples, bad)
            self.record |= {"encoded": report.plain(bad)} if self.record else {}
            assert isinstance(examples, StoredExamples), "this has written them"
            stored = StoredItems(folder / ITEMS, examples, lock)
        if self.scratch is None:
            return self.plain.items(list(examples), bad)
        self._keep()
        return stored

    @paused()
    def _write_items(self, path: Path, examples: Sequence[Example], bad: BadRows) -> None:
        writer = ItemWriter(path)
        encoder = Encoder(self.recipe.chat, self.recipe.answers, bad, self.repeated)
        first = 0
        with bar(f"encode {self.recipe.title}", len(examples)) as progress:
            for chunk in chunks(examples):
                places = {id(example): first + n for n, example in enumerate(chunk)}
                items = encoder.chunk(chunk)
                writer.add(items, [places[id(item.example)] for item in items])
                first += len(chunk)
                progress.advance(len(chunk))
        writer.close()
        encoder.report()

    def _keep(self) -> None:
        """Make an entry of what was written."""
        assert self.scratch is not None, "there is something"
        if not self.record:
            return
        made = datetime.now().strftime("%Y-%m-%d %H:%M")
        try:
            path = self.cache.put(self.scratch, {**self.record, "made": made})
        except OSError as error:
            self._say(_reason(error))
            return
        sizes = [size / 2**20 for size in (size_of(path), self.cache.size())]
        text = "the encoded '%s' is kept in '%s': %.0f MiB, of %.0f MiB there (data.cache)"
        log.info(text, self.recipe.title, path, *sizes)

    @contextmanager
    def _writing(self, bad: BadRows) -> Iterator[Report]:
        """Say what the block reports; where it cannot write, say that, and forget the rest."""
        before = len(bad.rows)
        try:
            with recording(bad) as report:
                yield report
        except (OSError, Unstorable) as error:
            del bad.rows[before:]
            self.close()
            self.scratch = None
            self._say(_reason(error))
        else:
            report.say()

    def _say(self, reason: str) -> None:
        text = "the encoded '%s' is not kept in '%s': %s"
        log.warning(text, self.recipe.title, self.cache.folder, reason)

    def close(self) -> None:
        """Delete what has not become an entry."""
        if self.scratch is not None:
            self.scratch.remove()


def _reason(error: BaseException) -> str:
    if isinstance(error, Unstorable):
        return "a row holds what JSON cannot, such as a date"
    failed = failed_write(error)
    return str((failed.strerror if failed is not None else None) or error)


Way = InMemory | FromEntry | IntoEntry
