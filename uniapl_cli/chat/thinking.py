"""Takes thoughts out of a response, in the four ways of its four readers.

| function | used for | takes out |
|---|---|---|
| strip_empty_thinking | demonstrations without thinking | an empty block at the start only |
| strip_thinking | verifiers and discriminators | all up to the last `</think>` |
| strip_first_thinking | POLAR's candidates, as its client does | all up to the first block's end |
| strip_wrapping | open-instruct's verifiers | as strip_thinking, and its own marks |
"""

from __future__ import annotations

import re

_EMPTY_BLOCK = re.compile(r"\A\s*<think>\s*</think>\s*")
_AFTER_FIRST_BLOCK = re.compile(r"<think>.*?</think>(.*)", re.DOTALL)


def strip_empty_thinking(text: str) -> str:
    """Return `text` without an empty think block at its start; a block with thoughts stays.

    Servers put an empty one before a response when asked not to think.
    """
    return _EMPTY_BLOCK.sub("", text)


def strip_thinking(text: str) -> str:
    """Return what follows the last `</think>`, or `text` if there is none.

    The template may have opened the block in the prompt, so no `<think>` is looked for.
    """
    _, mark, answer = text.rpartition("</think>")
    return answer.lstrip() if mark else text


def strip_first_thinking(text: str) -> str:
    """Return what follows the first complete think block, stripped, or `text` if there is none.

    Unlike `strip_thinking` it needs the block's `<think>`, and keeps later blocks.
    """
    match = _AFTER_FIRST_BLOCK.search(text)
    return match[1].strip() if match else text


def strip_wrapping(text: str) -> str:
    """Return the answer as open-instruct takes it out of `text` before it judges.

    That is what follows the last `</think>`, without `<answer>` tags, `<|assistant|>` marks and the
    white space around.
    """
    answer = text.replace("<|assistant|>", "").rpartition("</think>")[2]
    return answer.replace("<answer>", "").replace("</answer>", "").strip()
