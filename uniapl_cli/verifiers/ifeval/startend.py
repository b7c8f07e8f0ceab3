"""startend:* of IFEval: how the response starts and ends."""

from __future__ import annotations

from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("startend:end_checker")
def end_checker(response: str, *, end_phrase: str) -> bool:
    """The response ends with the phrase, in any case; double quotes around it are ignored."""
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())


@verifiers.register("startend:quotation")
def quotation(response: str) -> bool:
    """The whole response stands in straight double quotes."""
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'
