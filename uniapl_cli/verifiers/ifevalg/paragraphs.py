"""paragraphs:* of IFEvalG: exactly two paragraphs."""

from __future__ import annotations

from uniapl_cli.verifiers.ifeval.length_constraints import exactly_filled, number_paragraphs
from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("paragraphs:paragraphs", unwrap=True)
def paragraphs(response: str) -> bool:
    """Exactly two paragraphs stand between `***` dividers; an empty one in the middle fails."""
    return number_paragraphs(response, num_paragraphs=2)


@verifiers.register("paragraphs:paragraphs2", unwrap=True)
def paragraphs2(response: str) -> bool:
    """Exactly two paragraphs stand between blank lines; an empty one in the middle fails."""
    return exactly_filled(response.split("\n\n"), 2)
