"""punctuation:* of IFEvalG: no full stop, no exclamation mark."""

from __future__ import annotations

from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("punctuation:punctuation_dot", unwrap=True)
def punctuation_dot(response: str) -> bool:
    """No full stop occurs, not even in a number."""
    return "." not in response


@verifiers.register("punctuation:punctuation_exclamation", unwrap=True)
def punctuation_exclamation(response: str) -> bool:
    """No exclamation mark occurs."""
    return "!" not in response
