"""Instructions on how a response starts and ends."""

from __future__ import annotations

from uniapl_cli.verifiers.instructions import verifiers


@verifiers.register("startend:end_checker")
def end_checker(response: str, *, end_phrase: str) -> bool:
    """The response ends with the phrase, in any case, be it in double quotes."""
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())


@verifiers.register("startend:quotation")
def quotation(response: str) -> bool:
    """The whole response stands in straight double quotes."""
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'
