"""Constraints that are code out of a data set, which runs in the sandbox only."""

from __future__ import annotations

from uniapl_cli.verifiers.checks import Text
from uniapl_cli.verifiers.instructions import verifiers


@verifiers.register("autoif:evaluate", sandboxed=True)
def evaluate(response: str, *, source: Text) -> bool:
    """AutoIF: the function `evaluate(response)` that `source` defines returns True."""
    raise AssertionError("untrusted code runs in the sandbox only: judge through Judge")
