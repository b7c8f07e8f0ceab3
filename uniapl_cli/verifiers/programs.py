"""Constraints that are code out of a data set, which runs in the sandbox only."""

from __future__ import annotations

from uniapl_cli.verifiers.checks import not_blank
from uniapl_cli.verifiers.instructions import verifiers


@verifiers.register("autoif:evaluate", checks=(not_blank("source"),), sandboxed=True)
def evaluate(response: str, *, source: str) -> bool:
    """AutoIF: the function `evaluate(response)` that `source` defines returns True."""
    raise AssertionError("untrusted code runs in the sandbox only: judge through Judge")
