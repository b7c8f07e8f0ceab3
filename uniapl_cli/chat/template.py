"""Renders conversations by a tokenizer's chat template; what it would leave out is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date as calendar_date
from typing import Any

from uniapl_cli.chat.thinking import FIELDS, strip_thinking
from uniapl_cli.errors import ModelError, first_line
from uniapl_cli.types import Message

log = logging.getLogger("uniapl")

Turn = Mapping[str, Any]
Tools = Sequence[Mapping[str, Any]]

# Name calls and replies for programs; templates that leave them out lose nothing of the text.
BOOKKEEPING = frozenset({"id", "tool_call_id", "index", "type", "strict", "$schema"})
# The function by which a template reads today's date.
CLOCK = "strftime_now"
# What C's strftime knows, and `-` before it for no leading zero.
DIRECTIVES = "aAbBcCdDeFgGhHIjklmMnpPrRsSTtuUVwWxXyYzZ"


@dataclass(frozen=True)
class Template:
    """A tokenizer's chat template. `date`: YYYY-MM-DD, what it writes as today's; None is today."""

    tokenizer: Any
    thinking: bool = False
    date: str | None = None

    def render(self, turns: Sequence[Turn], *, generate: bool, tools: Tools = ()) -> str:
        """Return turns as text; with `generate`, up to where the next answer begins.

        Raises ModelError for whatever the template raises.
        """
        try:
            return self._render(turns, _as_mapping, generate=generate, tools=tools)
        except ModelError as error:
            # Some templates, such as DeepSeek's, take the arguments of calls as JSON text.
            if any(turn.get("tool_calls") for turn in turns):
                with suppress(ModelError):
                    return self._render(turns, _as_json, generate=generate, tools=tools)
            raise error from error.__cause__

    def _render(
        self,
        turns: Sequence[Turn],
        spell: Callable[[Any], Any],
        *,
        generate: bool,
        tools: Tools,
    ) -> str:
        offered = [dict(tool) for tool in tools] or None
        try:
            return self.tokenizer.apply_chat_template(
                [_with_arguments(turn, spell) for turn in turns],
                chat_template=self.dated(self.tokenizer.get_chat_template(tools=offered)),
                tools=offered,
                tokenize=False,
                add_generation_prompt=generate,
                enable_thinking=self.thinking,
            )
        except Exception as error:  # a template may raise what Python can
            reason = first_line(error)
            raise ModelError(f"the chat template fails: {reason}", got=reason) from error

    def check_written(
        self, text: str, turns: Sequence[Turn], tools: Tools, *, generate: bool = True
    ) -> None:
        """Refuse a rendered text that lacks a turn, a field of one, or a tool. Raises ModelError.

        Thoughts of earlier turns may be left out.
        """
        for number, turn in enumerate(turns, 1):
            content = turn["content"]
            if turn["role"] == "assistant":
                content = strip_thinking(content)
            if not _holds(text, content.strip()):
                raise _lost(f"the text of turn {number} ({turn['role']})", content)
        for number, name in _further_fields(turns):
            without = {key: value for key, value in turns[number].items() if key != name}
            others = [*turns[:number], without, *turns[number + 1 :]]
            if self._same(text, others, tools, generate=generate):
                raise _lost(f"'{name}' of turn {number + 1}", turns[number][name])
        if tools and self._same(text, turns, (), generate=generate):
            raise _lost("'tools'", tools)
        calls = [_with_arguments(t, _as_mapping)["tool_calls"] for t in turns if "tool_calls" in t]
        for leaf in _texts([tools, calls] if tools or calls else None):
            if not _holds(text, leaf):
                raise _lost(f"{leaf!r:.60} of the tools or tool calls", leaf)

    def _same(self, text: str, turns: Sequence[Turn], tools: Tools, *, generate: bool) -> bool:
        """Whether other turns or tools are rendered as the same text."""
        try:
            return self.render(turns, generate=generate, tools=tools) == text
        except ModelError:
            return False

    def dated(self, template: str) -> str:
        """Return a template with its clock stopped at the date, if it reads one."""
        if CLOCK not in template:
            return template
        today = calendar_date.fromisoformat(self.date) if self.date else calendar_date.today()
        values = {f"%{d}": today.strftime(f"%{d}") for d in DIRECTIVES}
        values |= {f"%-{d}": today.strftime(f"%-{d}") for d in DIRECTIVES}
        steps = "".join(f"|replace({code!r}, {value!r})" for code, value in values.items())
        clock = f"{{%- macro strftime_now(format) -%}}{{{{- format{steps} -}}}}{{%- endmacro -%}}"
        return clock + template


def turns(prompt: Sequence[Message], system: str | None) -> list[dict[str, Any]]:
    """Return messages as templates and servers take them, with `system` first if they have none."""
    listed = [{"role": turn.role, "content": turn.content, **turn.more} for turn in prompt]
    if system is not None and listed[0]["role"] not in ("system", "developer"):
        listed.insert(0, {"role": "system", "content": system})
    return listed


def _with_arguments(turn: Turn, spell: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a turn with the arguments of its calls spelt in one way."""
    if not turn.get("tool_calls"):
        return dict(turn)
    return {**turn, "tool_calls": [_spelt(call, spell) for call in turn["tool_calls"]]}


def _spelt(call: Any, spell: Callable[[Any], Any]) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or "arguments" not in function:
        return call
    return {**call, "function": {**function, "arguments": spell(function["arguments"])}}


def _as_mapping(arguments: Any) -> Any:
    """Return arguments as most templates take them, not as JSON text; none may be an empty text."""
    if isinstance(arguments, str):
        with suppress(ValueError):
            return json.loads(arguments) if arguments.strip() else {}
    return arguments


def _as_json(arguments: Any) -> Any:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _further_fields(turns: Sequence[Turn]) -> Iterator[tuple[int, str]]:
    """Yield (index of the turn, name) of the fields that the text does not show by itself."""
    for index, turn in enumerate(turns):
        for name in turn:
            thoughts = turn["role"] == "assistant" and name in FIELDS
            named = turn["role"] == "tool" and name == "name"
            if name not in ("role", "content", *BOOKKEEPING) and not thoughts and not named:
                yield index, name


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in nested lists and mappings, without bookkeeping and JSON schemas' words."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in BOOKKEEPING:
                yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _holds(text: str, part: str) -> bool:
    """Whether a part is in a text, as it is or as JSON spells it."""
    if part in text:
        return True
    return any(json.dumps(part, ensure_ascii=ascii)[1:-1] in text for ascii in (False, True))


def _lost(what: str, value: Any) -> ModelError:
    return ModelError(
        f"the chat template leaves out {what}",
        "The model would never see it: choose another template with chat.template, or leave it out "
        "on purpose with data.ignore",
        got=value,
    )
