"""Instructions on punctuation."""

from __future__ import annotations

from uniapl_cli.verifiers.instructions import verifiers


@verifiers.register("punctuation:no_comma")
def no_comma(response: str) -> bool:
    """No comma occurs."""
    return "," not in response


@verifiers.register("punctuation:punctuation_dot")
def punctuation_dot(response: str) -> bool:
    """No full stop occurs, not even in a number."""
    return "." not in response


@verifiers.register("punctuation:punctuation_exclamation")
def punctuation_exclamation(response: str) -> bool:
    """No exclamation mark occurs."""
    return "!" not in response
