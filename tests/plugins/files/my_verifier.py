"""A verifier."""

from pydantic import NonNegativeInt

from uniapl_cli.verifiers import verifiers


@verifiers.register("mine:exclamations")
def exclamations(response: str, *, most: NonNegativeInt) -> bool:
    """At most so many exclamation marks."""
    return response.count("!") <= most
