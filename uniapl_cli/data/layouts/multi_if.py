"""Multi-IF: conversations of up to three turns, each with its constraints."""

from __future__ import annotations

from typing import Any

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, parse_json
from uniapl_cli.types import Example, Message

# How the file says that there is none; null is an empty cell.
ABSENT = (None, "", "None")
# What Multi-IF checks by the response's language, and IFEval does not.
OWN = {
    "length_constraints:number_sentences": "multi_if:number_sentences",
    "length_constraints:number_words": "multi_if:number_words",
    "startend:quotation": "multi_if:quotation",
    "keywords:frequency": "multi_if:frequency",
}


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
        prompt.append(Message("user", question(row, number)))
        if number < turn:
            prompt.append(Message("assistant", str(answers[number - 1])))
    return columns.answered(row, tuple(prompt), None, build(*instructions(row, turn), row.origin))


def has(row: Row, name: str) -> bool:
    """Whether a row has a value in one of the columns. Raises DataError if that is no text."""
    return columns.text(row, name) not in ABSENT


def question(row: Row, number: int) -> str:
    """Return the user's text of a turn, counted from 1. Raises DataError if there is none."""
    message = _json(row, f"turn_{number}_prompt")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        problem = f"turn_{number}_prompt must be a message as JSON"
        raise DataError(problem, where=row.origin, got=message)
    return message["content"]


def instructions(row: Row, number: int) -> tuple[list[Any], list[Any]]:
    """Return the ids and kwargs of a turn, those of the turns before among them."""
    ids = _listed(row, f"turn_{number}_instruction_id_list")
    kwargs = [_object(row, text) for text in _listed(row, f"turn_{number}_kwargs")]
    return [OWN.get(id, id) if isinstance(id, str) else id for id in ids], kwargs


def _listed(row: Row, name: str) -> list[Any]:
    values = _json(row, name)
    if not isinstance(values, list):
        raise DataError(f"'{name}' must be a list as JSON", where=row.origin, got=values)
    return values


def _json(row: Row, name: str) -> Any:
    if not has(row, name):
        raise DataError(f"'{name}' is needed, and this row has none", where=row.origin)
    text = str(row.values[name])
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
