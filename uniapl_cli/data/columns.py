"""Columns that layouts share, each read with its type checked; DataError names file and line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.files import Row
from uniapl_cli.options import conforms
from uniapl_cli.types import FINISHED, Constraint, Example, Message

Build = Callable[..., tuple[Constraint, ...]]
"""`(ids, kwargs, where) -> constraints`, checked: verifiers.constraints."""

ROLES = ("system", "user", "assistant")


def identity(row: Row) -> str:
    """Return the row's `key` or `id`, or its line number if both are missing or null."""
    for name in ("key", "id"):
        if (value := row.values.get(name)) is not None:
            return str(value)
    return row.origin.rpartition(":")[2]


def missing(row: Row, name: str) -> DataError:
    """Return the error that a row lacks a column."""
    names = list(row.values)
    problem = f"'{name}' is needed; the row has: {', '.join(names)}"
    return DataError(problem, where=row.origin, got=names)


def text(row: Row, name: str) -> str | None:
    """Return a column of text, or None if it is missing or null."""
    value: Any = row.values.get(name)
    if value is not None and not isinstance(value, str):
        kind = type(value).__name__
        raise DataError(f"'{name}' must be text, got {kind}", where=row.origin, got=value)
    return value


def turns(row: Row, name: str) -> tuple[Message, ...]:
    """Return a column of {role, content} turns, at least one."""
    listed = row.values.get(name)
    if listed is None:
        raise missing(row, name)
    if not listed or not conforms(listed, list[dict[str, Any]]) or not all(map(_is_turn, listed)):
        problem = f"'{name}' must be a list of {{role, content}}, both texts, and not empty"
        raise DataError(problem, where=row.origin, got=listed)
    for turn in listed:
        if turn["role"] not in ROLES:
            raise unknown("role", turn["role"], ROLES, DataError).at(row.origin)
    return tuple(Message(turn["role"], turn["content"]) for turn in listed)


def _is_turn(turn: Mapping[str, Any]) -> bool:
    return all(isinstance(turn.get(name), str) for name in ("role", "content"))


def split_answer(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], str | None]:
    """Return (messages before the assistant's last one, its text), or (all, None) without one."""
    if messages[-1].role == "assistant":
        return messages[:-1], messages[-1].content
    return messages, None


def prompt(row: Row) -> tuple[Message, ...]:
    """Return the turns of `messages`, or the text of `prompt` as the user's."""
    if row.values.get("messages") is not None:
        return turns(row, "messages")
    question = text(row, "prompt")
    if not question:
        names = list(row.values)
        problem = f"a 'prompt' or 'messages' is needed; the row has: {', '.join(names)}"
        raise DataError(problem, where=row.origin, got=names)
    return (Message("user", question),)


def instructions(row: Row, build: Build) -> tuple[Constraint, ...]:
    """Return the constraints of `instruction_id_list` and `kwargs`; none if both are missing.

    `kwargs` has one entry for each id, or is the JSON text of that list. Entries and their values
    may be null: parquet's struct columns have a field for every kwarg of the data set.
    """
    ids, kwargs = row.values.get("instruction_id_list", []), row.values.get("kwargs", [])
    if isinstance(kwargs, str):
        kwargs = _parsed(row, kwargs)
    if not conforms(ids, list[str]) or not isinstance(kwargs, list):
        problem = "'instruction_id_list' and 'kwargs' must be lists, of texts and of mappings"
        raise DataError(problem, where=row.origin, got=[ids, kwargs])
    return build(ids, kwargs, row.origin)


def answered(
    row: Row,
    prompt: tuple[Message, ...],
    answer: str | None,
    constraints: tuple[Constraint, ...],
    *,
    rejected: str | None = None,
) -> Example:
    """Return the Example of a prompt that ends with the user's turn.

    A `response` column, as teacher-gen writes it, replaces `answer`.
    """
    if not prompt or prompt[-1].role != "user":
        last = f"it is the {prompt[-1].role}'s" if prompt else "there is none"
        problem = f"the turn before the answer must be the user's; {last}"
        raise DataError(problem, where=row.origin)
    response = text(row, "response")
    return Example(
        id=identity(row),
        prompt=prompt,
        constraints=constraints,
        response=answer if response is None else response,
        rejected=rejected,
        reference=text(row, "reference"),
        row=row.values,
        origin=row.origin,
    )


def finished(row: Row, example: Example) -> bool:
    """Whether the response ended by itself; `finish_reason`, if the row has one, says so.

    It speaks of the `response` column, or of an answer that is the row's only one.
    """
    reason = text(row, "finish_reason")
    speaks = example.rejected is None or row.values.get("response") is not None
    return not reason or not speaks or reason.lower() in FINISHED


def _parsed(row: Row, kwargs: str) -> Any:
    try:
        parsed = json.loads(kwargs)
    except (ValueError, RecursionError) as error:
        problem = f"'kwargs' is text, but not JSON: {error}"
        raise DataError(problem, where=row.origin, got=kwargs) from None
    if isinstance(parsed, dict):
        raise DataError(
            "'kwargs' is one object for the whole row; a list with one for each instruction id is "
            "needed",
            "Of ifeval-like-data take the config 'filtered'",
            where=row.origin,
            got=parsed,
        )
    return parsed
