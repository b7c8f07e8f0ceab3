"""Conversations: plain ones, and pairs of a better and a worse answer."""

from __future__ import annotations

from uniapl_cli.data import columns
from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message


@layouts.register("messages", columns=[{"messages"}])
def messages(row: Row, build: columns.Build) -> Example:
    """Read plain chat: `messages`, of which the last, where the assistant's, is the response.

    A `response` column, as teacher-gen writes it, takes that one's place. `system`, where not
    blank, is the first turn. Optional columns: `key` (or `id`), `reference`, and ifeval's.
    """
    prompt, answer = columns.split_answer(columns.turns(row, "messages"))
    prompt = _with_system(row, prompt)
    return columns.answered(row, prompt, answer, columns.instructions(row, build))


@layouts.register("preference", columns=[{"chosen", "rejected"}])
def preference(row: Row, build: columns.Build) -> Example:
    """Read pairs: `prompt`, `chosen`, `rejected`, each text or turns; `chosen` is the response.

    Where `chosen` and `rejected` are whole conversations, they hold the prompt, and `prompt` need
    not be there. `rejected` is checked and stays in `row`: an Example has no other place for it. A
    `response` column, as teacher-gen writes it, takes the place of `chosen`.
    """
    before, chosen = _answer(row, "chosen")
    if before != _answer(row, "rejected")[0]:
        raise DataError(f"{row.origin}: chosen and rejected do not answer the same turns")
    if not before and isinstance(row.values.get("prompt"), list):
        before = columns.turns(row, "prompt")
    prompt = _with_system(row, before or columns.prompt(row))
    return columns.answered(row, prompt, chosen, columns.instructions(row, build))


def _with_system(row: Row, prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    system = columns.text(row, "system")
    if not system or not system.strip():
        return prompt
    turn = Message("system", system)
    if prompt and prompt[0].role == "system":
        if prompt[0] != turn:
            raise DataError(f"{row.origin}: 'system' is not the system turn of the messages")
        return prompt
    return (turn, *prompt)


def _answer(row: Row, name: str) -> tuple[tuple[Message, ...], str]:
    """Return the turns before an answer that is text or turns, and its text."""
    if not isinstance(row.values.get(name), list):
        given = columns.text(row, name)
        if given is None:
            raise DataError(f"{row.origin}: '{name}' is needed; got {list(row.values)}")
        return (), given
    before, answer = columns.split_answer(columns.turns(row, name))
    if answer is None:
        raise DataError(f"{row.origin}: the last turn of '{name}' must be the assistant's")
    return before, answer
