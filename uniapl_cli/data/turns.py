"""Turns of conversations: `{role, content, ...}`; what cannot be read of one is a DataError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from uniapl_cli.chat.thinking import FIELDS, read_thoughts, with_thoughts, without_marks
from uniapl_cli.errors import DataError, unknown
from uniapl_cli.files import Row, parse_json
from uniapl_cli.types import Message, Role

ROLES = get_args(Role)
# What ShareGPT's turns say in `from`.
SPEAKERS: Mapping[str, Role] = {
    "system": "system",
    "developer": "developer",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
    "tool_response": "tool",
}
# Fields that say whether a turn is learnt.
MARKS = ("weight", "train", "loss")
# What is read of a part of a content.
OF_A_PART = ("type", "text")
LEAVE_OUT = "Leave it out on purpose with data.ignore=[{}]"


@dataclass(frozen=True, slots=True)
class Answer:
    """An assistant's turn as a response: its text, thoughts included, and its other fields."""

    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def role_of(turn: Any) -> str | None:
    """Return the role of a turn {role, content} or {from, value}; None if it has none."""
    if not isinstance(turn, dict):
        return None
    role, speaker = turn.get("role"), turn.get("from")
    if isinstance(role, str):
        return role
    return SPEAKERS.get(speaker) if isinstance(speaker, str) else None


def is_blank(value: Any) -> bool:
    """Whether a column or field holds nothing: null, an empty text, list or mapping."""
    return value is None or (isinstance(value, (str, list, tuple, dict)) and not value)


def read_turns(row: Row, name: str, listed: Any) -> tuple[Message, ...]:
    """Return the turns of a column, at least one. Raises DataError.

    Contents are texts, null beside other fields, or lists of parts of type text.
    """
    if not isinstance(listed, list) or not listed:
        problem = f"'{name}' must be a list of turns {{role, content}}, and not empty"
        raise DataError(problem, where=row.origin, got=listed)
    messages = tuple(_message(row, f"{name}[{i}]", turn) for i, turn in enumerate(listed))
    if messages[-1].role == "assistant" and not is_learnt(row, f"{name}[-1]", listed[-1]):
        mark = next(mark for mark in MARKS if listed[-1].get(mark) is not None)
        problem = f"the last answer is not to be learnt: its turn says '{mark}: {listed[-1][mark]}'"
        advice = f"Take the others with data.assistant_turns=all, or set data.ignore=[{mark}]"
        raise DataError(problem, advice, where=row.origin, got=listed[-1][mark])
    return messages


def _message(row: Row, index: str, turn: Any) -> Message:
    if not isinstance(turn, dict) or not isinstance(role := turn.get("role"), str):
        problem = f"{index} must be a turn {{role, content}}, got {turn!r:.60}"
        raise DataError(problem, where=row.origin, got=turn)
    if role not in ROLES:
        raise unknown("role", role, ROLES, DataError).at(row.origin)
    is_learnt(row, index, turn)
    more = {
        name: value
        for name, value in turn.items()
        if name not in ("role", "content", *MARKS) and not is_blank(value)
    }
    content = _content(row, index, turn.get("content"))
    if content is None and not more:
        problem = f"{index}, of role {role}, has no content"
        raise DataError(problem, where=row.origin, got=turn)
    if not content and role == "user" and not more:
        raise DataError(f"{index}, the user's, is empty", where=row.origin, got=turn)
    return Message(role, content or "", more)  # type: ignore[arg-type]


def _content(row: Row, index: str, content: Any) -> str | None:
    """Return a turn's text; texts of several parts are joined."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        kind = type(content).__name__
        problem = f"the content of {index} must be text, or a list of parts, got {kind}"
        raise DataError(problem, where=row.origin, got=content)
    return "".join(_part(row, index, part) for part in content)


def _part(row: Row, index: str, part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if kind != "text" or not isinstance(part.get("text"), str):
        problem = f"{index} has a part of type '{kind}'; only parts of type 'text' can be read"
        raise DataError(problem, where=row.origin, got=kind)
    if name := next((n for n in part if n not in OF_A_PART and not is_blank(part[n])), None):
        problem = f"{index} has a part with '{name}' beside its text, which cannot be read"
        raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=name)
    return part["text"]


def is_learnt(row: Row, index: str, turn: Mapping[str, Any]) -> bool:
    """Return what `weight`, `train` or `loss` says of a turn: True, unless one of them is 0.

    Only an assistant's turn can be learnt. Raises DataError.
    """
    learnt = True
    for name in MARKS:
        if (mark := turn.get(name)) is None:
            continue
        if not isinstance(mark, (bool, int, float)) or mark not in (0, 1):
            problem = f"'{name}' of {index} must be 0 or 1, false or true, got {mark!r:.60}"
            raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=mark)
        if mark and role_of(turn) != "assistant":
            problem = f"'{name}: {mark}' of {index}: only an assistant's turn can be learnt"
            raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=mark)
        learnt = learnt and bool(mark)
    return learnt


def split_answer(
    row: Row, messages: Sequence[Message]
) -> tuple[tuple[Message, ...], Answer | None]:
    """Return (messages before the assistant's last one, that one), or (all, None) without it."""
    if messages[-1].role != "assistant":
        return tuple(messages), None
    return tuple(messages[:-1]), answer_of(row, messages[-1])


def answer_of(row: Row, turn: Message) -> Answer:
    """Return an assistant's turn as a response; thoughts in a field become a think block."""
    fields = {name: value for name, value in turn.more.items() if name not in FIELDS}
    return Answer(with_reasoning(row, turn.more, turn.content), fields)


def with_reasoning(row: Row, fields: Mapping[str, Any], text: str) -> str:
    """Return an answer's text behind the thoughts that a field of its turn, or a column, holds.

    Raises DataError if thoughts are no text, or the text has other thoughts already.
    """
    for name in FIELDS:
        reasoning = fields.get(name)
        if is_blank(reasoning):
            continue
        if not isinstance(reasoning, str):
            kind = type(reasoning).__name__
            problem = f"'{name}' must be text, the answer's thoughts, got {kind}"
            raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=reasoning)
        thoughts = read_thoughts(text)
        if not thoughts.reasoning:  # None, or an empty block
            text = with_thoughts(reasoning, thoughts.answer)
        elif thoughts.reasoning != without_marks(reasoning):
            problem = f"the answer has a think block, and other thoughts in '{name}'"
            raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=reasoning)
    return text


def listed_or_parsed(row: Row, name: str) -> list[Mapping[str, Any]]:
    """Return a column that is a list of mappings, or the JSON text of one; [] if it is blank."""
    value: Any = row.values.get(name)
    if isinstance(value, str) and value.strip():
        try:
            value = parse_json(value)
        except (ValueError, RecursionError) as error:
            problem = f"'{name}' is text, but not JSON: {error}"
            raise DataError(problem, where=row.origin, got=value) from None
    if is_blank(value) or (isinstance(value, str) and not value.strip()):
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        problem = f"'{name}' must be a list of mappings, or the JSON text of one"
        raise DataError(problem, where=row.origin, got=value)
    return value
