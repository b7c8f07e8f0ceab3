"""How training reads a data set: into memory, or through the folder of encoded data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.config.schema import Config
from uniapl_cli.data import layouts, open_rows, paths_named
from uniapl_cli.data.encode import Answer
from uniapl_cli.data.options import AUTO
from uniapl_cli.data.rows import Rows
from uniapl_cli.data.stored.cache import Cache, default_folder
from uniapl_cli.data.stored.depends import data_digest, depends
from uniapl_cli.data.stored.ways import FromEntry, InMemory, IntoEntry, Recipe, Way
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.verifiers import trainable, verifiers

log = logging.getLogger("uniapl")

# A data set of fewer rows is encoded in seconds, and is not kept.
LEAST_ROWS = 10_000


def encoded_cache(config: Config) -> Cache | None:
    """Return the folder of encoded data, or None where the config wants none."""
    named = config.data.cache
    return None if named is None else Cache(default_folder() if named == AUTO else Path(named))


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
    data, name = config.data, resolve(path)
    split, key = data.split_of(stream), data.split_key(stream)
    recipe = Recipe(
        title=Path(path).name,
        chat=chat,
        build=trainable,
        layout=data.layout_of(stream),
        ignore=tuple(data.ignore),
        every_turn=data.learns_every_turn(stream),
        answers=answers,
    )

    def digest() -> str | None:
        with suppress(OSError):  # opening it says what is wrong
            if all(file.is_file() or file.is_dir() for file in paths_named(name)):
                return data_digest(name, split, key)
        return None

    cache, found = encoded_cache(config), None
    if cache is None or (found := digest()) is None:
        return InMemory(recipe, open_rows(name, split, key))
    rows: Rows | None = None
    if not cache.knows(found):
        rows = open_rows(name, split, key)
        if dry_run or len(rows) < LEAST_ROWS:
            return InMemory(recipe, rows)
    needs = depends(found, _how(recipe, name, split), chat, _definitions())
    if needs is not None and (entry := cache.find(needs, mend=not dry_run)) is not None:
        return FromEntry(recipe, entry)
    plain = InMemory(recipe, open_rows(name, split, key) if rows is None else rows)
    if dry_run or len(plain.rows or ()) < LEAST_ROWS:
        return plain
    if needs is None:
        text = "the encoded '%s' is not kept: its tokenizer or a plug-in is code without a file"
        log.info(text, recipe.title)
        return plain
    return IntoEntry(plain, cache, needs, lambda: digest() == found)


def _how(recipe: Recipe, name: str, split: str | None) -> dict[str, Any]:
    """Return what the config says of how a data set is read and encoded."""
    return {
        "name": name,
        "files": list(map(str, paths_named(name))),
        "split": split,
        "layout": recipe.layout,
        "ignore": list(recipe.ignore),
        "every_turn": recipe.every_turn,
        "answers": list(recipe.answers),
    }


def _definitions() -> Iterator[Callable[..., Any]]:
    """Yield what turns a row into an example."""
    yield from (layouts[name].definition for name in layouts)
    yield from (verifiers[name].definition for name in verifiers)
