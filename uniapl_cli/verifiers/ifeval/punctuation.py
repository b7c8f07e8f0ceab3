"""punctuation:* of IFEval: no comma."""

from __future__ import annotations

from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("punctuation:no_comma")
def no_comma(response: str) -> bool:
    """No comma occurs."""
    return "," not in response
