"""A schedule."""

from pydantic import NonNegativeInt

from uniapl_cli import register_schedule


@register_schedule("switch")
def switch(step: int, *, at: NonNegativeInt, before: float = 0.0, after: float = 1.0) -> float:
    """One value before a step, another from it on."""
    return before if step < at else after
