"""combination:* of IFEval: two responses, or the prompt repeated before the answer."""

from __future__ import annotations

from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("combination:two_responses")
def two_responses(response: str) -> bool:
    """Two different responses stand between `******`; an empty one in the middle fails."""
    parts = [part.strip() for part in response.split("******")]
    filled = [part for part in parts if part]
    return all(parts[1:-1]) and len(filled) == 2 and filled[0] != filled[1]


@verifiers.register("combination:repeat_prompt")
def repeat_prompt(response: str, *, prompt_to_repeat: Text) -> bool:
    """The response starts with the prompt, in any case."""
    return response.strip().lower().startswith(prompt_to_repeat.strip().lower())
