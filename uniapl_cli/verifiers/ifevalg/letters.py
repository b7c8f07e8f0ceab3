"""letters:* of IFEvalG: how many letters there are, or how often one occurs."""

from __future__ import annotations

import re

from pydantic import PositiveInt

from uniapl_cli.verifiers.ifeval.keywords import letter_frequency
from uniapl_cli.verifiers.registry import Relation, compare, verifiers

verifiers.register("letters:letter_counting2", unwrap=True)(letter_frequency)


@verifiers.register("letters:letter_counting", unwrap=True)
def letter_counting(response: str, *, N: PositiveInt, relation: Relation) -> bool:
    """The letters a to z, of either case, are `relation` N."""
    return compare(len(re.findall(r"[a-zA-Z]", response)), relation, N)
