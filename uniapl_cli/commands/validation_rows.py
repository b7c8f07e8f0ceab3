"""The rows that a run is validated on: read, and compared with what it is trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands.contamination import question, texts
from uniapl_cli.commands.heldout import check_room, check_rows
from uniapl_cli.commands.streams import encoded_prompts, examples
from uniapl_cli.commands.tasks import Task, find_tasks
from uniapl_cli.commands.validation import sampling_of, split_of
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRow, BadRows
from uniapl_cli.data.encode import Answer, Encoded, encode
from uniapl_cli.data.limits import Limits, fit
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.contamination import Overlap, overlap
from uniapl_cli.runs.console import Bar, bar
from uniapl_cli.training.streams import Stream
from uniapl_cli.types import Example

log = logging.getLogger("uniapl")


@dataclass(frozen=True)
class HeldOut:
    """The rows of validation, and how many of them share their words with what is trained on."""

    prompts: Sequence[Example]
    demonstrations: Sequence[Encoded]
    preferences: Sequence[Encoded]
    tasks: Sequence[Task]
    shared: Mapping[str, Overlap]

    def counts(self) -> dict[str, int]:
        """Return the rows by what is measured on them."""
        kinds = {name: len(getattr(self, name)) for name in OF_FILE}
        kinds |= {task.name: len(task.items) for task in self.tasks}
        return {name: count for name, count in kinds.items() if count}


# The answers of each file's rows whose loss is taken.
OF_FILE: Mapping[str, tuple[Answer, ...]] = {
    "prompts": (),
    "demonstrations": ("response",),
    "preferences": ("response", "rejected"),
}


def read_validation(
    config: Config,
    chat: Chat,
    context: int,
    streams: Mapping[str, Stream[Any]],
) -> HeldOut | None:
    """Return the rows of validation; None where nothing is measured. Raises UniAPLError.

    How many of them share words with the rows of the streams is counted, and logged.
    """
    if config.validation.every is None:
        return None
    bad = BadRows(config.data.tolerance)
    prompts = _prompts(config, chat, context, bad)
    losses = {
        name: _answered(config, name, chat, context, bad)
        for name in ("demonstrations", "preferences")
    }
    if bad.rows:
        text = "validation: %d bad rows are left out, the first: %s"
        log.warning(text, len(bad.rows), bad.rows[0].error)
    tasks = find_tasks(config, "validation")
    questions = {
        "prompts": {row.id: row.prompt_text for row in prompts},
        **{
            name: {str(number): row.example.prompt_text for number, row in enumerate(rows)}
            for name, rows in losses.items()
        },
        **{task.name: {item.id: question(item) for item in task.items} for task in tasks},
    }
    shared = _shared({name: asked for name, asked in questions.items() if asked}, streams)
    return HeldOut(prompts, losses["demonstrations"], losses["preferences"], tasks, shared)


def _shared(
    questions: Mapping[str, Mapping[str, str]], streams: Mapping[str, Stream[Any]]
) -> dict[str, Overlap]:
    """Return for each kind of rows how many share words with the training rows; log it."""
    found, trained = {}, {id(stream.items): stream.items for stream in streams.values()}
    for name, asked in questions.items():
        with bar(f"compare {name} with training", sum(map(len, trained.values()))) as shown:
            found[name] = one = overlap(asked, _texts(trained.values(), shown))
        if one.found:
            log.warning(
                "validation: %d of %d rows of %s share %d words in a row, or all they have, with "
                "the training rows",
                *(one.found, one.compared, name, one.n),
            )
    return found


def _texts(streams: Iterable[Sequence[Any]], shown: Bar) -> Iterator[str]:
    """Yield the texts of the rows that are trained on."""
    for items in streams:
        for item in items:
            if isinstance(item, Encoded):
                yield from texts(item.example)
            shown.advance()


def _rows(config: Config, name: str, bad: BadRows) -> list[Example]:
    """Return the rows of validation.NAME, read as data.NAME is but for the split."""
    options, key, learnt = config.validation, f"validation.{name}", name == "demonstrations"
    file, split = getattr(options, name), split_of(config)
    return examples(config, key, file, bad, name, learnt=learnt, split=split)[: options.limit]


def _prompts(config: Config, chat: Chat, context: int, bad: BadRows) -> list[Example]:
    options = config.validation
    if options.prompts is None:
        return []
    rows = _rows(config, "prompts", bad)
    check_rows(config, "validation.metrics", options.metrics, rows)
    prompts = encoded_prompts(chat, rows, bad)
    key = "sampling.max_new_tokens"
    key = key if options.sampling is None else f"validation.{key}"
    new = sampling_of(config).max_new_tokens
    check_room(config, prompts, context, key, new, "validation.prompts", f"Lower {key}")
    return [prompt.example for prompt in prompts]


def _answered(config: Config, name: str, chat: Chat, context: int, bad: BadRows) -> list[Encoded]:
    """Return the rows of validation.NAME with their answers' tokens, held to training's limits."""
    if getattr(config.validation, name) is None:
        return []
    key, answers, data = f"validation.{name}", OF_FILE[name], config.data
    source = config.source("demonstrations" if name == "demonstrations" else "choices")
    rows = _rows(config, name, bad)
    source.check(rows, key)
    with config.blaming(key):
        items = []
        for item in encode(chat, rows, answers, bad=bad):
            if (fault := source.fault(item)) is None:
                items.append(item)
            else:
                error = DataError(fault, where=item.example.origin)
                bad.add(BadRow(dict(item.example.row), error))
        if not items:
            raise bad.rows[-1].error
        limits = Limits(data.max_prompt_tokens, data.max_response_tokens, 0, context)
        return list(fit(items, limits, data.overlong, answers))
