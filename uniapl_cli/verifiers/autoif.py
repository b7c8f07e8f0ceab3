"""autoif:* of AutoIF: the constraint is code from the data set, which runs in the sandbox only."""

from __future__ import annotations

from uniapl_cli.sandbox import Call
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import Trial, verifiers


@verifiers.register("autoif:evaluate", sandboxed=True)
def evaluate(response: str, *, source: Text) -> Trial:
    """AutoIF: the function `evaluate(response)` that `source` defines returns True."""
    return Trial(Call(source, args=(response,)))
