"""Reads what an OpenAI-compatible server answers: text, thoughts, how it ended, token counts.

| finish_reason | who says so | what becomes of it |
|---|---|---|
| stop, eos, eos_token, stop_sequence, stop_token, end_turn | all; TGI; proxies | a whole response |
| length, max_tokens, model_length | all; proxies | a response that was cut off |
| none, with a count of tokens | older servers | cut off if it has max_new_tokens, else whole |
| none, without one | | a failure: nothing says whether it is whole |
| abort, cancelled, error | vLLM, SGLang that stop or run out of memory | asked again |
| tool_calls, content_filter, any other | the server means it | a failure, not asked again |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniapl_cli.chat.thinking import FIELDS, OPEN, read_thoughts, with_thoughts
from uniapl_cli.http import RequestFailed, one_line
from uniapl_cli.teachers.teacher import Answer
from uniapl_cli.types import FINISHED, FinishReason

CUT_OFF = ("length", "max_tokens", "model_length")
BROKEN = ("abort", "aborted", "cancelled", "error")
# A count of tokens beyond this is none: no context is so long.
MOST_TOKENS = 2**31 - 1


def read(reply: Any, max_new_tokens: int | None) -> Answer:
    """Return the answer in a server's reply to a request for `max_new_tokens`, None for no limit.

    Raises RequestFailed: where a part is missing, which another try may bring, and where the
    response ended in a way that leaves no text, which none will change.
    """
    try:
        choice = reply["choices"][0]
        message, reason, usage = choice["message"], choice.get("finish_reason"), reply.get("usage")
        inline, content = _parts(message.get("content"))
        apart = [_text(message.get(name)) for name in FIELDS]
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError):
        raise RequestFailed("unusable answer", "unusable answer: no message in it") from None
    thoughts = next(filter(None, (inline, *apart)), "")
    _refuse_others(message, reason)
    response_tokens = _count(usage, "completion_tokens")
    end = _end(reason, response_tokens, max_new_tokens)
    text = _joined(thoughts, content, end)
    return Answer(text, end, _count(usage, "prompt_tokens"), response_tokens)


def _parts(content: Any) -> tuple[str, str]:
    """Return (thoughts, text) of a content: a text, or a list of parts, some of them thoughts."""
    if not isinstance(content, list):
        return "", _text(content)
    thoughts, texts = [], []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif part.get("type") in ("thinking", "reasoning"):
            thoughts.append("".join(_parts(part.get(part["type"]) or part["text"])))
        else:
            texts.append(_text(part["text"]))
    return "".join(thoughts), "".join(texts)


def _text(value: Any) -> str:
    """Return a text, "" for null. Raises TypeError for anything else."""
    if value is not None and not isinstance(value, str):
        raise TypeError
    return value or ""


def _joined(thoughts: str, content: str, end: FinishReason) -> str:
    """Return thoughts and content as one text, as the model wrote it.

    A response that was cut off before it said anything was cut off in its thoughts: nothing closes
    them. Thoughts that stand in the content already are not put there again.
    """
    if not thoughts.strip() or read_thoughts(content).reasoning:
        return content
    if end == "length" and not content.strip():
        return f"{OPEN}\n{thoughts.strip()}"
    return with_thoughts(thoughts, read_thoughts(content).answer.lstrip("\n"))


def _count(usage: Any, name: str) -> int | None:
    """Return a count of tokens, None where it is missing or senseless."""
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if type(count) is int and 0 <= count <= MOST_TOKENS else None


def _refuse_others(message: Mapping[str, Any], reason: Any) -> None:
    """Raise RequestFailed for calls of tools and for refusals, also where the end is a stop."""
    for name in ("tool_calls", "function_call", "refusal"):
        if message.get(name) or reason == name:
            problem = f"the response was ended by {name}, which cannot be kept as text"
            raise RequestFailed(f"ended by {name}", problem, repeatable=False)


def _end(reason: Any, response_tokens: int | None, max_new_tokens: int | None) -> FinishReason:
    """Return how a response ended, by the table above. Raises RequestFailed."""
    name = reason.lower() if isinstance(reason, str) else reason
    if name in (*FINISHED, *CUT_OFF):
        return "stop" if name in FINISHED else "length"
    if name in (None, "") and response_tokens is not None:
        full = max_new_tokens is not None and response_tokens >= max_new_tokens
        return "length" if full else "stop"
    if name in (None, ""):
        problem = "neither finish_reason nor usage says whether the response is whole"
        raise RequestFailed("no finish_reason", problem, repeatable=False)
    named, broken = one_line(str(reason)), name in BROKEN
    kind = "unusable answer" if broken else f"ended by {named:.40}"
    problem = f"the response was ended by {named:.60}"
    raise RequestFailed(kind, problem, repeatable=broken)
