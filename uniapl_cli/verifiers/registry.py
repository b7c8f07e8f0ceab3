"""The registry of instructions: `verifiers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

from uniapl_cli.options import Options
from uniapl_cli.registry import Registry
from uniapl_cli.sandbox import Call, Program
from uniapl_cli.types import Grade


@dataclass(frozen=True, slots=True)
class Trial:
    """What the sandbox has to run to grade an answer: it is right if the verdict is True.

    `read` is what was read as the answer; where it fails, as by a limit of time, it is wrong. None
    where what runs is the row's own check: where that fails, there is no verdict.
    """

    run: Call | Program
    read: str | None = None


Verifier = Callable[..., bool | Grade | Trial]
Relation = Literal["less than", "at least"]


class Kwargs(Options):
    """The kwargs of an instruction; unlike options they may be "" if their own type allows it."""

    model_config = ConfigDict(str_min_length=0)


verifiers: Registry[Verifier] = Registry("instruction", base=Kwargs)
"""`verifiers.register(id)` decorates `(response, *, kwargs) -> bool`, or `-> Grade` where an answer
is read out of the response first.

The signature says which kwargs there are, of which type and within which bounds (`checks.py`).
Traits: `sensible`, which of them go together; `sandboxed=True`, that it returns a Trial where code
must run that nobody has read, and `packages`, what that code may import; `needs`, a package or data
that may be absent, without which it cannot judge (`needs.py`); `unwrap=True`, that it judges a
response without `<answer>` tags, as open-instruct does; `evaluation=True`, that it is a benchmark's
own, and nothing is trained on it.
"""


def compare(count: int, relation: Relation, bound: int) -> bool:
    """Whether `count` is less than, or at least, `bound`."""
    return count < bound if relation == "less than" else count >= bound
