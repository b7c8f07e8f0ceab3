"""A metric of uniapl eval."""

from collections.abc import Sequence

from uniapl_cli import Answer, Share, register_metric


@register_metric("shouting")
def shouting(answers: Sequence[Answer], *, mark: str = "!") -> dict[str, list[Share]]:
    """Exclamation marks a response."""
    return {"shouting": [(float(a.completion.text.count(mark)), 1.0) for a in answers]}
