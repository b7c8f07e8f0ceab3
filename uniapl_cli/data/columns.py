"""Columns that layouts share, each read with its type checked; DataError names file and line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from uniapl_cli.chat.thinking import FIELDS, is_open
from uniapl_cli.data.turns import (
    LEAVE_OUT,
    Answer,
    is_blank,
    listed_or_parsed,
    read_turns,
    split_answer,
    with_reasoning,
)
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, parse_json
from uniapl_cli.options import conforms
from uniapl_cli.types import FINISHED, Constraint, Example, Message

Build = Callable[..., tuple[Constraint, ...]]
"""`(ids, kwargs, where) -> constraints`, checked: verifiers.constraints."""

ANSWERABLE = ("user", "tool")


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


def first_text(row: Row, names: Sequence[str]) -> str | None:
    """Return the first of some columns of text that is neither missing, null nor empty."""
    return next((value for name in names if (value := text(row, name))), None)


def turns(row: Row, name: str) -> tuple[Message, ...]:
    """Return a column of turns, at least one."""
    if row.values.get(name) is None:
        raise missing(row, name)
    return read_turns(row, name, row.values[name])


def prompt(row: Row) -> tuple[Message, ...]:
    """Return the turns of `messages` or `prompt`, or the text of `prompt` as the user's."""
    if row.values.get("messages") is not None:
        return turns(row, "messages")
    if isinstance(row.values.get("prompt"), list):
        return turns(row, "prompt")
    question = text(row, "prompt")
    if not question:
        names = list(row.values)
        problem = f"a 'prompt' or 'messages' is needed; the row has: {', '.join(names)}"
        raise DataError(problem, where=row.origin, got=names)
    return (Message("user", question),)


def conversation(row: Row) -> tuple[tuple[Message, ...], Answer | None]:
    """Return `prompt`, without an answer, or the turns of `messages` before and with theirs."""
    if row.values.get("messages") is not None:
        return split_answer(row, turns(row, "messages"))
    return prompt(row), None


def with_system(row: Row, prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a prompt that begins with the column `system`, if that is not blank."""
    system = text(row, "system")
    if not system or not system.strip():
        return prompt
    if prompt and prompt[0].role == "system":
        if prompt[0].content != system:
            problem = "'system' differs from the system turn of the messages"
            raise DataError(problem, "Leave one of the two out", where=row.origin, got=system)
        return prompt
    return (Message("system", system), *prompt)


def instructions(row: Row, build: Build) -> tuple[Constraint, ...]:
    """Return the constraints of `instruction_id_list` and `kwargs`; none if both are missing.

    `kwargs` has one entry for each id. Either may be the JSON text of its list. Entries and their
    values may be null: parquet's struct columns have a field for every kwarg of the data set.
    """
    ids, kwargs = row.values.get("instruction_id_list", []), row.values.get("kwargs", [])
    if isinstance(ids, str):
        ids = _parsed(row, "instruction_id_list", ids)
    if isinstance(kwargs, str):
        kwargs = _parsed(row, "kwargs", kwargs)
    if not conforms(ids, list[str]) or not isinstance(kwargs, list):
        problem = "'instruction_id_list' and 'kwargs' must be lists, of texts and of mappings"
        raise DataError(problem, where=row.origin, got=[ids, kwargs])
    return build(ids, kwargs, row.origin)


def answered(
    row: Row,
    prompt: tuple[Message, ...],
    answer: Answer | None,
    constraints: tuple[Constraint, ...],
    *,
    rejected: Answer | None = None,
) -> Example:
    """Return the Example of a prompt that ends with the user's turn, or a tool's.

    A `response` column, as teacher-gen writes it, replaces `answer`. Thoughts in a column of their
    own become the answer's think block.
    """
    roles = [turn.role for turn in prompt]
    if not roles or roles[-1] not in ANSWERABLE or "user" not in roles:
        last = f"it is the {roles[-1]}'s" if roles else "there is none"
        problem = "the turn before the answer must be the user's, or a tool's after one of the user"
        raise DataError(f"{problem}; {last}", where=row.origin, got=roles)
    response = text(row, "response")
    answer = answer if response is None else Answer(response)
    if rejected is not None:
        _refuse_what_a_rejected_answer_cannot_have(row, rejected)
    elif answer is not None:
        answer = Answer(with_reasoning(row, row.values, answer.text), answer.fields)
    return Example(
        id=identity(row),
        prompt=prompt,
        constraints=constraints,
        response=None if answer is None else answer.text,
        rejected=None if rejected is None else rejected.text,
        reference=text(row, "reference"),
        response_fields={} if answer is None else answer.fields,
        tools=tuple(listed_or_parsed(row, "tools")),
        next_turns=next_turns(row),
        row=row.values,
        origin=row.origin,
    )


def next_turns(row: Row) -> tuple[str, ...]:
    """Return the column `next_turns`: what the user says after each answer. None if it is null."""
    further = row.values.get("next_turns")
    if further is None:
        return ()
    if not conforms(further, list[str]) or not all(text.strip() for text in further):
        problem = (
            "'next_turns' must be a list of the user's further turns, texts that are not empty"
        )
        raise DataError(problem, where=row.origin, got=further)
    return tuple(further)


# Fields of an answer's turn that call tools, and what ends such an answer.
CALLS = ("tool_calls", "function_call")


def finished(row: Row, example: Example) -> bool:
    """Whether the answer ended by itself; `finish_reason`, if the row has one, says so.

    It speaks of the `response` column, or of an answer that is the row's only one. Calls of tools
    end an answer that has them. One whose think block nothing closes was cut off in its thoughts.
    """
    answer = example.rejected if example.response is None else example.response
    if is_open(answer or "") and not example.response_fields:
        return False
    reason = text(row, "finish_reason")
    alone = None in (example.response, example.rejected)
    if not reason or not (alone or row.values.get("response") is not None):
        return True
    calls = {name for name in CALLS if example.response_fields.get(name)}
    return reason.lower() in FINISHED or (bool(calls) and reason in CALLS)


def _refuse_what_a_rejected_answer_cannot_have(row: Row, rejected: Answer) -> None:
    if rejected.fields:
        name = next(iter(rejected.fields))
        problem = f"the rejected answer has '{name}': only its text can be learnt from"
        raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=name)
    for name in FIELDS:
        if not is_blank(row.values.get(name)):
            problem = f"the column '{name}' does not say which of the answers it belongs to"
            advice = f"Put it into a turn of that answer, or set data.ignore=[{name}]"
            raise DataError(problem, advice, where=row.origin, got=row.values[name])


def _parsed(row: Row, name: str, column: str) -> Any:
    try:
        parsed = parse_json(column)
    except (ValueError, RecursionError) as error:
        problem = f"'{name}' is text, but not JSON: {error}"
        raise DataError(problem, where=row.origin, got=column) from None
    if isinstance(parsed, dict) and name == "kwargs":
        raise DataError(
            "'kwargs' is one object for the whole row; a list with one for each instruction id is "
            "needed",
            "Of ifeval-like-data take the config 'filtered'",
            where=row.origin,
            got=parsed,
        )
    return parsed
