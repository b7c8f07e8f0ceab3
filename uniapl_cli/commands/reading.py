"""Reads, checks and encodes the files of a training run: in memory, or by the encoded data kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands.rewarding import rewards_of
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRow, BadRows, layouts, open_rows, paths_named
from uniapl_cli.data.encode import Answer, Encoded
from uniapl_cli.data.limits import Limits, Selection, fit
from uniapl_cli.data.options import AUTO
from uniapl_cli.data.rows import Rows
from uniapl_cli.data.stored.cache import Cache, default_folder
from uniapl_cli.data.stored.depends import data_digest, depends
from uniapl_cli.data.stored.ways import FromEntry, InMemory, IntoEntry, Recipe, Way
from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.rewards.reward import check_examples, needs
from uniapl_cli.sources import SourceOptions
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.terms import Term
from uniapl_cli.types import Example
from uniapl_cli.verifiers import trainable, verifiers

log = logging.getLogger("uniapl")

# The streams whose rows are a file that the section `data` names.
FILES = ("demonstrations", "prompts", "preferences")
# A data set of fewer rows is encoded in seconds, and is not kept.
LEAST_ROWS = 10_000


def encoded_cache(config: Config) -> Cache | None:
    """Return the folder of encoded data, or None where the config wants none."""
    named = config.data.cache
    return None if named is None else Cache(default_folder() if named == AUTO else Path(named))


@dataclass(frozen=True)
class DataSet:
    """A data set by its name, with its split and the key that names that."""

    name: str
    split: str | None
    key: str

    def open(self) -> Rows:
        """Open it. Raises DataError."""
        return open_rows(self.name, self.split, self.key)

    def digest(self) -> str | None:
        """Return a digest of its content; None where nothing is known of it. Raises DataError."""
        with suppress(OSError):  # opening it says what is wrong
            if all(file.is_file() or file.is_dir() for file in paths_named(self.name)):
                return data_digest(self.name, self.split, self.key)
        return None

    def is_still(self, digest: str) -> bool:
        """Whether the content is what it was; what has gone by now is not."""
        with suppress(UniAPLError):
            return self.digest() == digest
        return False


def way_to_read(
    config: Config,
    chat: Chat,
    stream: str,
    path: str,
    answers: tuple[Answer, ...],
    *,
    dry_run: bool = False,
) -> Way:
    """Return how the data set of a stream is read; with `dry_run` none that writes.

    Raises DataError for one that cannot be opened.
    """
    data = config.data
    source = DataSet(resolve(path), data.split_of(stream), data.split_key(stream))
    recipe = Recipe(
        title=Path(path).name,
        chat=chat,
        build=trainable,
        layout=data.layout_of(stream),
        ignore=tuple(data.ignore),
        every_turn=data.learns_every_turn(stream),
        answers=answers,
    )
    cache = encoded_cache(config)
    digest = None if cache is None else source.digest()
    if cache is None or digest is None:
        return InMemory(recipe, source.open())
    return _through(cache, source, digest, recipe, dry_run)


def _through(cache: Cache, source: DataSet, digest: str, recipe: Recipe, dry_run: bool) -> Way:
    """Return the way from an entry, or into one; else in memory."""
    rows: Rows | None = None
    if not cache.knows(digest):  # the tokenizer need not be looked at for few rows
        rows = source.open()
        if dry_run or len(rows) < LEAST_ROWS:
            return InMemory(recipe, rows)
    needs = depends(digest, _how(recipe, source), recipe.chat, _definitions())
    if needs is not None and (entry := cache.find(needs, mend=not dry_run)) is not None:
        return FromEntry(recipe, entry)
    rows = source.open() if rows is None else rows
    if dry_run or len(rows) < LEAST_ROWS:
        return InMemory(recipe, rows)
    if needs is None:
        text = "the encoded '%s' is not kept: its tokenizer or a plug-in is code without a file"
        log.info(text, recipe.title)
        return InMemory(recipe, rows)
    return IntoEntry(InMemory(recipe, rows), cache, needs, lambda: source.is_still(digest))


def _how(recipe: Recipe, source: DataSet) -> dict[str, Any]:
    """Return what the config says of how a data set is read and encoded."""
    return {
        "name": source.name,
        "files": list(map(str, paths_named(source.name))),
        "split": source.split,
        "layout": recipe.layout,
        "ignore": list(recipe.ignore),
        "every_turn": recipe.every_turn,
        "answers": list(recipe.answers),
    }


def _definitions() -> Iterator[Callable[..., Any]]:
    """Yield what turns a row into an example."""
    yield from (layouts[name].definition for name in layouts)
    yield from (verifiers[name].definition for name in verifiers)


class Reader:
    """Reads each file once, and encodes the answers that any of its streams needs."""

    def __init__(
        self,
        config: Config,
        chat: Chat,
        terms: dict[str, list[Term]],
        bad: BadRows,
        dry_run: bool,
    ) -> None:
        self.config, self.chat, self.terms, self.bad = config, chat, terms, bad
        self.dry_run = dry_run
        self.done: dict[Hashable, Sequence[Encoded]] = {}

    def path(self, stream: str) -> str:
        """Return the file of a stream. Raises ConfigError."""
        path: str | None = getattr(self.config.data, stream)
        if path is None:
            term = self.terms[stream][0].name
            raise self.config.error(
                f"data.{stream}",
                f"'data.{stream}' is not set, and term '{term}' draws from it",
                f"Set data.{stream}=FILE",
            )
        return path

    def answers(self, stream: str) -> tuple[Any, ...]:
        """Return which answers of a stream's rows the policy reads."""
        sources = [self.config.source(name) for name in self._sources(stream)]
        return tuple(dict.fromkeys(answer for one in sources for answer in one.answers))

    def _sources(self, stream: str) -> list[str]:
        return self.config.with_roots(term.source for term in self.terms[stream])

    def read(self, stream: str, context: int) -> Sequence[Encoded]:
        """Return a stream's rows, checked for what its terms need and held to the limits."""
        reading = self._reading(stream)
        if reading not in self.done:
            self.done[reading] = self._encoded(stream, self.path(stream))
        kinds = [self.config.source_kind(name) for name in self._sources(stream)]
        sampled = any(kind.traits.get("rewarded") for kind in kinds)
        data = self.config.data
        limits = Limits(
            prompt=data.max_prompt_tokens,
            response=data.max_response_tokens,
            answer=self.config.sampling.max_new_tokens if sampled else 0,
            context=context,
        )
        with self.config.blaming(f"data.{stream}"):
            return fit(self.done[reading], limits, data.overlong, self.answers(stream))

    def _reading(self, stream: str) -> Hashable:
        """Return what decides the rows of a stream: its file, and how that is read."""
        data = self.config.data
        choices = data.layout_of(stream), data.split_of(stream), data.learns_every_turn(stream)
        return getattr(data, stream), *choices

    def _encoded(self, stream: str, path: str) -> Sequence[Encoded]:
        key, reading = f"data.{stream}", self._reading(stream)
        sharing = [s for s in self.terms if s in FILES and self._reading(s) == reading]
        answers = tuple(dict.fromkeys(a for name in sharing for a in self.answers(name)))
        with self.config.blaming(key):
            way = way_to_read(self.config, self.chat, stream, path, answers, dry_run=self.dry_run)
        with closing(way):
            with self.config.blaming(key):
                rows = way.examples(self.bad)
            if not rows:
                raise self._none_good(key, resolve(path))
            for name in sharing:
                for term in self.terms[name]:
                    self._check(rows, term)
            items = self._faultless(way.items(rows, self.bad), sharing)
        if not items:
            raise self._none_good(key, path)
        return items

    def _none_good(self, key: str, name: str) -> DataError:
        return self.bad.none_good(name).at(self.config.origin(key), key)

    def _faultless(self, items: Sequence[Encoded], sharing: Sequence[str]) -> Sequence[Encoded]:
        """Return the items that no source refuses for its tokens; the others are bad rows."""
        names = dict.fromkeys(one for name in sharing for one in self._sources(name))
        sources = [self.config.source(name) for name in names]
        sources = [one for one in sources if type(one).fault is not SourceOptions.fault]
        if not sources:
            return items
        good = [index for index, item in enumerate(items) if not self._is_bad(item, sources)]
        return items if len(good) == len(items) else Selection(items, good)

    def _is_bad(self, item: Encoded, sources: Sequence[SourceOptions]) -> bool:
        """Whether a source refuses a row for its tokens; then add it to the bad rows."""
        for fault in (source.fault(item) for source in sources):
            if fault is not None:
                error = DataError(fault, where=item.example.origin)
                self.bad.add(BadRow(dict(item.example.row), error))
                return True
        return False

    def _check(self, rows: Sequence[Example], term: Term) -> None:
        why = f"term '{term.name}'"
        for name in self.config.with_roots([term.source]):
            self.config.source(name).check(rows, why)
        for reward in rewards_of(self.config, term):
            check_examples(rows, needs(self.config.rewards[reward]), why)
