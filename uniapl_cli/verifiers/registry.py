"""The registry of instructions: `verifiers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import ConfigDict

from uniapl_cli.options import Options
from uniapl_cli.registry import Registry

Verifier = Callable[..., bool]
Relation = Literal["less than", "at least"]


class Kwargs(Options):
    """The kwargs of an instruction; unlike options they may be "" if their own type allows it."""

    model_config = ConfigDict(str_min_length=0)


verifiers: Registry[Verifier] = Registry("instruction", base=Kwargs)
"""`verifiers.register(id)` decorates `(response, *, kwargs) -> bool`.

The signature says which kwargs there are, of which type and within which bounds (`checks.py`); the
trait `sensible`, which of them go together; `sandboxed=True`, that it is code out of a data set;
`unwrap=True`, that it judges a response without `<answer>` tags, as open-instruct does.
"""


def compare(count: int, relation: Relation, bound: int) -> bool:
    """Whether `count` is less than, or at least, `bound`."""
    return count < bound if relation == "less than" else count >= bound
