"""Multi-IF: conversations of up to three turns, each with its constraints."""

from __future__ import annotations

from typing import Any

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, parse_json
from uniapl_cli.types import Example, Message


@layouts.register("multi_if", columns=[{"turn_1_prompt", "turn_1_instruction_id_list"}])
def multi_if(row: Row, build: columns.Build) -> Example:
    """Read facebook/Multi-IF: the next turn to answer, after those that `responses` answers.

    Columns `turn_N_prompt` (a message as JSON), `turn_N_instruction_id_list` (a list as JSON) and
    `turn_N_kwargs` (a list as JSON of objects as JSON), N from 1 to 3.
    """
    answers = row.values.get("responses") or []
    turn = len(answers) + 1
    prompt: list[Message] = []
    for number in range(1, turn + 1):
        prompt.append(Message("user", _user_turn(row, number)))
        if number < turn:
            prompt.append(Message("assistant", str(answers[number - 1])))
    ids = _json(row, f"turn_{turn}_instruction_id_list")
    kwargs = [_object(row, text) for text in _json(row, f"turn_{turn}_kwargs")]
    return columns.answered(row, tuple(prompt), None, build(ids, kwargs, row.origin))


def _user_turn(row: Row, number: int) -> str:
    message = _json(row, f"turn_{number}_prompt")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        problem = f"turn_{number}_prompt must be a message as JSON"
        raise DataError(problem, where=row.origin, got=message)
    return message["content"]


def _json(row: Row, name: str) -> Any:
    text = columns.text(row, name)
    if not text or text == "None":
        raise DataError(f"'{name}' is needed, and this row has none", where=row.origin)
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        problem = f"'{name}' is not JSON: {error}"
        raise DataError(problem, where=row.origin, got=text) from None


def _object(row: Row, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        problem = f"kwargs {text!r:.60} is not JSON: {error}"
        raise DataError(problem, where=row.origin, got=text) from None
