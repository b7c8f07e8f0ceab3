"""The registry of instructions, and what their verifiers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from uniapl_cli.registry import Registry

Verifier = Callable[..., bool]
Check = Callable[[Mapping[str, Any]], str | None]
Relation = Literal["less than", "at least"]

verifiers: Registry[Verifier] = Registry("instruction")
"""`verifiers.register(id, checks=(...))` decorates `(response, *, kwargs) -> bool`.

The signature says which kwargs there are and of which type. `checks` say what a type cannot: each
takes the kwargs and returns why they mean nothing, or None.
"""


def compare(count: int, relation: Relation, bound: int) -> bool:
    """Whether `count` is less than, or at least, `bound`."""
    return count < bound if relation == "less than" else count >= bound
