"""One function a data set: a row of its file -> an Example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, read_rows
from uniapl_cli.registry import Registry, conforms
from uniapl_cli.types import Constraint, Example, Message

Layout = Callable[[Row, Callable[..., tuple[Constraint, ...]]], Example]
layouts: Registry[Layout] = Registry("layout")

ROLES = ("system", "user", "assistant")


@layouts.register("ifeval")
def ifeval(row: Row, build: Callable[..., tuple[Constraint, ...]]) -> Example:
    """Read google/IFEval's layout, which this project's own files share.

    `prompt` (or `messages`), `instruction_id_list` and `kwargs` side by side, and optionally `key`
    (or `id`), `response`, `reference`.
    """
    values = row.values
    ids, kwargs = values.get("instruction_id_list", []), values.get("kwargs", [])
    if not conforms(ids, list[str]) or not isinstance(kwargs, list):
        raise DataError(
            f"{row.origin}: instruction_id_list and kwargs must be lists, of texts and of mappings"
        )
    given = (values.get("key"), values.get("id"), row.origin.rpartition(":")[2])
    return Example(
        id=str(next(id for id in given if id is not None)),
        prompt=_prompt(row),
        constraints=build(ids, kwargs, row.origin),
        response=_text(row, "response"),
        reference=_text(row, "reference"),
        row=values,
        origin=row.origin,
    )


def _prompt(row: Row) -> tuple[Message, ...]:
    given = row.values.get("messages")
    if given is None:
        text = _text(row, "prompt")
        if not text:
            raise DataError(
                f"{row.origin}: a 'prompt' or 'messages' is needed; got {list(row.values)}"
            )
        return (Message("user", text),)
    if not given or not conforms(given, list[dict[str, Any]]) or not all(map(_is_turn, given)):
        raise DataError(f"{row.origin}: messages must be a list of {{role, content}}, both texts")
    for turn in given:
        if turn["role"] not in ROLES:
            raise DataError(
                f"{row.origin}: no role '{turn['role']}': system, user and assistant are known"
            )
    return tuple(Message(turn["role"], turn["content"]) for turn in given)


def _is_turn(turn: Mapping[str, Any]) -> bool:
    return all(isinstance(turn.get(name), str) for name in ("role", "content"))


def _text(row: Row, name: str) -> str | None:
    value: Any = row.values.get(name)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{row.origin}: '{name}' must be text, got {type(value).__name__}")
    return value


def read_examples(
    path: Path, layout: str, build: Callable[..., tuple[Constraint, ...]]
) -> Iterator[Example]:
    """Yield a file's examples, lazily. Raises DataError with file and line; an empty file is one.

    `build` turns instruction ids and kwargs into checked constraints (verifiers.constraints).
    """
    read = layouts[layout].make
    found = False
    for row in read_rows(path):
        found = True
        yield read(row, build)
    if not found:
        raise DataError(f"'{path}' has no rows")
