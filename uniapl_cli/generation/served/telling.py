"""What the first rank hears from servers, for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from uniapl_cli.http import RequestFailed
from uniapl_cli.ranks import Ranks

T = TypeVar("T")


async def told(ranks: Ranks, ask: Callable[[], Awaitable[T]], doing: str) -> T:
    """Return, on all ranks, what `ask` returns on the first one; the others do not call it.

    A RequestFailed is raised by all, so that they try again together. What else it raises, the
    first one tells the others where it ends.
    """
    answer, failure = None, None
    if ranks.first:
        try:
            answer = await ask()
        except RequestFailed as error:
            failure = error
    reason, known = ranks.gather((vars(failure) if failure else None, answer), doing)[0]
    if failure is not None:
        raise failure
    if reason is not None:
        raise RequestFailed(**reason)
    return known  # type: ignore[return-value]
