"""A verifier."""

from pydantic import NonNegativeInt

from uniapl_cli import register_verifier


@register_verifier("mine:exclamations")
def exclamations(response: str, *, most: NonNegativeInt) -> bool:
    """At most so many exclamation marks."""
    return response.count("!") <= most
