"""The one reader of thoughts: policy, discriminators, verifiers and evaluation all use it.

In this program a text that thinks begins with `<think>`, also where the chat template has opened
the block in the prompt, and where a row or a server keeps thoughts in a field of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from uniapl_cli.types import Message

OPEN, CLOSE = "<think>", "</think>"
# The fields of a turn in which people and servers (vLLM, SGLang, DeepSeek ...) keep thoughts.
FIELDS = ("reasoning_content", "reasoning", "thinking")

_AFTER_FIRST_BLOCK = re.compile(r"<think>.*?</think>(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Thoughts:
    """A text in two parts. `reasoning` is None where it has no thoughts, "" where they are empty.

    `answer` is stripped at both ends where there are thoughts, else the text as it is.
    """

    reasoning: str | None
    answer: str


def read_thoughts(text: str) -> Thoughts:
    """Split a text into thoughts and answer, at the last `</think>` as Qwen3's template does.

    No `<think>` is needed before it: a template may have opened the block in the prompt. A block
    that is never closed, as in a response that was cut off, has no answer: "".
    """
    before, mark, answer = text.rpartition(CLOSE)
    if mark:
        return Thoughts(before.lstrip().removeprefix(OPEN).strip(), answer.strip())
    start = text.lstrip()
    if start.startswith(OPEN):
        return Thoughts(start.removeprefix(OPEN).strip(), "")
    return Thoughts(None, text)


def thoughts_of(turn: Message) -> list[str]:
    """Return the thoughts of an assistant's turn, in its text or in a field: none, or one text."""
    if turn.role != "assistant":
        return []
    fields = [turn.more[name] for name in FIELDS if turn.more.get(name)]
    thoughts = [read_thoughts(turn.content).reasoning, *map(str, fields)]
    return [reasoning for reasoning in thoughts if reasoning][:1]


def strip_thinking(text: str) -> str:
    """Return the answer of a text, without thoughts."""
    return read_thoughts(text).answer


def with_thoughts(reasoning: str | None, answer: str) -> str:
    """Return thoughts and answer as one text; the answer alone if `reasoning` is None."""
    if reasoning is None:
        return answer
    return f"{OPEN}\n{without_marks(reasoning)}\n{CLOSE}\n\n{answer}"


def without_marks(reasoning: str) -> str:
    """Return thoughts without the marks of a think block, which some keep around a field's text."""
    return reasoning.strip().removeprefix(OPEN).removesuffix(CLOSE).strip()


def is_open(text: str) -> bool:
    """Whether a text begins with a think block that nothing closes: it was cut off there."""
    return CLOSE not in text and text.lstrip().startswith(OPEN)


def strip_first_thinking(text: str) -> str:
    """Return what follows the first complete think block, stripped, or `text` if there is none.

    This is how POLAR's official client reads a candidate. It needs the block's `<think>`, and
    keeps later blocks.
    """
    match = _AFTER_FIRST_BLOCK.search(text)
    return match[1].strip() if match else text


def strip_wrapping(text: str) -> str:
    """Return the answer as open-instruct takes it out of `text` before it judges.

    That is what follows the last `</think>`, without `<answer>` tags, `<|assistant|>` marks and the
    white space around.
    """
    answer = text.replace("<|assistant|>", "").rpartition(CLOSE)[2]
    return answer.replace("<answer>", "").replace("</answer>", "").strip()
