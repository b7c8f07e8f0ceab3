"""Describes a data set: counts, lengths, constraints, and one example as training sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import Encoded

QUANTILES = {"median": 0.5, "95%": 0.95, "longest": 1.0}


def inspect(items: Sequence[Encoded], *, max_prompt: int, max_response: int) -> dict[str, Any]:
    """Return counts, token lengths, constraint frequencies and what the limits would leave out."""
    ids: Counter[str] = Counter()
    per_row: Counter[int] = Counter()
    texts: Counter[int] = Counter()
    for item in items:
        ids.update(constraint.id for constraint in item.example.constraints)
        per_row[len(item.example.constraints)] += 1
        texts[hash(item.example.prompt_text)] += 1
    prompts = [len(item.prompt) for item in items]
    responses = [len(item.response) for item in items if item.response is not None]
    return {
        "rows": len(prompts),
        "prompts that occur before": len(prompts) - len(texts),
        "with a response": len(responses),
        "prompt tokens": quantiles(prompts),
        "response tokens": quantiles(responses),
        f"prompts over {max_prompt} tokens": sum(n > max_prompt for n in prompts),
        f"responses over {max_response} tokens": sum(n > max_response for n in responses),
        "constraints a row": {str(n): count for n, count in sorted(per_row.items())},
        "constraints": dict(ids.most_common()),
    }


def quantiles(lengths: Sequence[int]) -> dict[str, int]:
    """Return the median, the 95th percentile and the maximum."""
    ordered = sorted(lengths)
    return {name: ordered[int(q * (len(ordered) - 1))] for name, q in QUANTILES.items() if ordered}


def render(item: Encoded, chat: Chat) -> Text:
    """Return an example as the model reads it; the tokens with loss are green."""
    example = item.example
    text = Text(chat.show(chat.render(example.prompt, example.tools)), style="dim")
    if item.response is not None:
        text.append(chat.tokenizer.decode(list(item.response)), style="green")
    return text
