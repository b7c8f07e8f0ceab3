"""ShareGPT: conversations whose turns are {from, value}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.data.turns import SPEAKERS, read_turns, split_answer
from uniapl_cli.errors import DataError, unknown
from uniapl_cli.files import Row, parse_json
from uniapl_cli.types import Example

CALLS = ("function_call", "tool_call")


@layouts.register(
    "sharegpt",
    columns=[{"conversations"}],
    over=("ifeval", "alpaca", "question_answer"),
    turns="conversations",
)
def sharegpt(row: Row, build: columns.Build) -> Example:
    """Read ShareGPT's `conversations` of {from, value}, or of {role, content}.

    The last turn, if the assistant's, is the response. A `function_call` is JSON text of {name,
    arguments}, or of a list of them. Optional columns: `system`, `tools`, `key` (or `id`),
    `response`, `reference`, and ifeval's.
    """
    listed = row.values.get("conversations")
    if isinstance(listed, list):
        listed = [_turn(row, index, turn) for index, turn in enumerate(listed)]
    prompt, answer = split_answer(row, read_turns(row, "conversations", listed))
    prompt = columns.with_system(row, prompt)
    return columns.answered(row, prompt, answer, columns.instructions(row, build))


def _turn(row: Row, index: int, turn: Any) -> Any:
    """Return a turn of {from, value} as {role, content}; any other as it is."""
    if not isinstance(turn, dict) or not isinstance(speaker := turn.get("from"), str):
        return turn
    if speaker not in SPEAKERS:
        raise unknown("from", speaker, SPEAKERS, DataError).at(row.origin)
    more = {name: value for name, value in turn.items() if name not in ("from", "value")}
    if "role" in more or "content" in more:
        problem = f"conversations[{index}] has both {{from, value}} and {{role, content}}"
        raise DataError(problem, where=row.origin, got=turn)
    if speaker in CALLS:
        calls = _calls(row, index, turn)
        return {**more, "role": "assistant", "content": None, "tool_calls": calls}
    return {**more, "role": SPEAKERS[speaker], "content": turn.get("value")}


def _calls(row: Row, index: int, turn: Mapping[str, Any]) -> list[dict[str, Any]]:
    value = turn.get("value")
    try:
        calls = parse_json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        calls = None
    calls = calls if isinstance(calls, list) else [calls]
    if not calls or not all(isinstance(call, dict) and "name" in call for call in calls):
        problem = (
            f"conversations[{index}], a {turn['from']}, must be JSON text of {{name, arguments}}"
        )
        raise DataError(problem, where=row.origin, got=value)
    return [{"type": "function", "function": call} for call in calls]
