"""autoif:* of AutoIF: the constraint is code from the data set, which runs in the sandbox only."""

from __future__ import annotations

from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("autoif:evaluate", sandboxed=True)
def evaluate(response: str, *, source: Text) -> bool:
    """AutoIF: the function `evaluate(response)` that `source` defines returns True."""
    raise AssertionError("untrusted code runs in the sandbox only: judge through Judge")
