"""The streams of rows that a method trains on, and rows that are read by themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands.reading import FILES as FILES
from uniapl_cli.commands.reading import Reader
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.data.encode import Encoded, encode
from uniapl_cli.files import write_rows
from uniapl_cli.runs.console import bar
from uniapl_cli.seeding import derive
from uniapl_cli.sources.source import refuse_next_turns
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.types import Example
from uniapl_cli.verifiers import constraints, trainable

log = logging.getLogger("uniapl")

# Sections whose rows nobody learns from.
MEASURED = ("eval.", "analyse.", "validation.")


def examples(
    config: Config,
    key: str,
    name: str,
    bad: BadRows,
    stream: str = "",
    *,
    learnt: bool = False,
    split: tuple[str | None, str] | None = None,
) -> list[Example]:
    """Read the data set that `key` names. Wrong rows are added to `bad`. Raises DataError.

    `stream` is the one whose rows it holds, if it is a file that the section `data` names. Where
    responses are `learnt`, an empty one is a bad row. So is a row with an instruction that is for
    evaluation only, but where `key` is of a section that measures. split: another one than the
    stream's, and the key that names it.
    """
    data = config.data
    with config.blaming(key):
        at = (data.split_of(stream), data.split_key(stream)) if split is None else split
        rows = open_rows(resolve(name), *at)
        with bar(f"read {Path(name).name}", len(rows)) as progress:
            good = read_examples(
                rows,
                data.layout_of(stream),
                constraints if key.startswith(MEASURED) else trainable,
                bad,
                progress,
                ignore=data.ignore,
                learnt=learnt,
                every_turn=data.learns_every_turn(stream),
            )
    if not good:
        raise bad.none_good(rows.name).at(config.origin(key), key)
    return good


def encoded_prompts(chat: Chat, rows: Sequence[Example], bad: BadRows) -> list[Encoded]:
    """Return the rows with the ids of their prompts; `bad` takes those that the template refuses.

    Raises DataError, also if none is left, or if the user of one goes on after the answer.
    """
    refuse_next_turns(rows, "this command")
    prompts = encode(chat, rows, (), bad=bad)
    if rows and not prompts:
        raise bad.rows[-1].error
    return prompts


@contextmanager
def bad_rows(config: Config, *, dry_run: bool = False) -> Iterator[BadRows]:
    """Collect the bad rows of all files read in the block; then write them to data.bad_rows.

    More than `data.tolerance` of them, of all files together, are an error. With `dry_run` they
    are counted, and nothing is written.
    """
    bad = BadRows(config.data.tolerance)
    yield bad
    report_bad(config, bad, dry_run=dry_run)


def report_bad(config: Config, bad: BadRows, *, dry_run: bool = False) -> None:
    """Write the bad rows to data.bad_rows and log how many there are."""
    if not bad.rows or config.data.bad_rows is None:
        return
    if not dry_run:
        with config.blaming("data.bad_rows"):
            write_rows(config.data.bad_rows, bad.as_rows(), wait=True)
    verb = "would go to" if dry_run else "are in"
    log.warning("%d bad rows %s '%s'", len(bad.rows), verb, config.data.bad_rows)


def make_streams(
    config: Config, method: Plan, chat: Chat, context: int, *, dry_run: bool = False
) -> dict[str, Stream[Any]]:
    """Return the streams of the method's active terms. Raises ConfigError and DataError.

    Streams of one file share its rows, each parsed and encoded once.
    """
    terms = terms_by_stream(config, method)
    streams: dict[str, Stream[Any]] = {}
    with bad_rows(config, dry_run=dry_run) as bad:
        reader = Reader(config, chat, terms, bad, dry_run)
        for name, mine in terms.items():
            items: Sequence[Any]
            if name in FILES:
                items = reader.read(name, context)
            else:
                items = config.source(config.root(mine[0].source)).items()
            size = stream_size(config, name, mine)
            streams[name] = Stream(name, items, size, derive(config.seed, "stream"))
    return streams


def terms_by_stream(config: Config, method: Plan) -> dict[str, list[Term]]:
    """Return the active terms by the stream that their source draws from."""
    terms: dict[str, list[Term]] = {}
    for term in method.ever_active:
        terms.setdefault(config.stream_of(term.source), []).append(term)
    return {name: terms[name] for name in sorted(terms, key=_file_order)}


def _file_order(name: str) -> int:
    return FILES.index(name) if name in FILES else len(FILES)


def stream_size(config: Config, stream: str, terms: Sequence[Term]) -> int:
    """Return the items a step takes of a stream. Raises ConfigError if its sources disagree."""
    names = config.with_roots(term.source for term in terms)
    sizes = {name: config.source(name).per_step() for name in names}
    known = {source: size for source, size in sizes.items() if size is not None}
    if not known:
        # Only sources that follow another one: that one's size, though it is not active.
        size = config.source(stream).per_step()
        assert size is not None, "the stream's own source says how many"
        return size
    first, *others = known.items()
    for source, size in others:
        if size != first[1]:
            raise config.error(
                f"sources.{source}",
                f"sources.{source} draws {size} rows a step and sources.{first[0]} {first[1]}, and "
                f"both draw from one stream, '{stream}'",
                "Make the two equal",
                got=size,
            )
    return first[1]
