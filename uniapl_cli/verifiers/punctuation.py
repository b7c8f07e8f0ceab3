"""Instructions on punctuation."""

from __future__ import annotations

from uniapl_cli.verifiers.instructions import verifiers


@verifiers.register("punctuation:no_comma")
def no_comma(response: str) -> bool:
    """No comma occurs."""
    return "," not in response
