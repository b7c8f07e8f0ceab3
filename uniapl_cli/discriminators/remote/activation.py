"""Whether a server answers with scores, or with what an activation such as a sigmoid makes of them.

vLLM applies one by default, and what it makes would pass for a score.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from uniapl_cli.discriminators.remote.engines import Engine, Ids
from uniapl_cli.errors import ModelError
from uniapl_cli.http import RequestFailed

# Share of a row's ids that a probe keeps, before its last id.
SHARES = (0.9, 0.75, 0.6, 0.45, 0.3, 0.15)

Ask = Callable[[dict[str, Any], Sequence[Ids]], Awaitable[list[float]]]
"""Sends one request's fields for rows; returns their scores. Raises RequestFailed."""


def bounded(scores: Sequence[float]) -> bool:
    """Whether all lie where an activation would put them; scores have no bounds."""
    return all(0 <= score <= 1 for score in scores)


async def check_raw(
    engine: Engine, address: str, rows: Sequence[Ids], scores: Sequence[float], ask: Ask
) -> None:
    """Find out whether bounded scores of rows are scores. Raises ModelError where they are not.

    They are if the same rows asked for through the activation come back as its values, or if the
    score of another row is not bounded.
    """
    through = engine.activated(rows)
    if through is not None:
        try:
            if _is_sigmoid(scores, await ask(through, rows)):
                return
        except RequestFailed:
            pass  # it cannot be asked so; the other rows tell
    others = probes(rows)
    if bounded(await ask(engine.body(others), others)):
        raise ModelError(
            f"{address} answers with scores between 0 and 1 only, as a sigmoid makes them",
            engine.cure,
            got=address,
        )


def probes(rows: Sequence[Ids]) -> list[Ids]:
    """Return rows unlike those of the data: beginnings, and the ids turned round, of the longest.

    Each keeps the last id, where the score is read.
    """
    *ids, tail = max(rows, key=len)
    beginnings = [ids[: max(1, int(len(ids) * share))] for share in SHARES]
    return [[*part, tail] for part in (*beginnings, ids[::-1], ids[1::2] + ids[::2])]


def _is_sigmoid(scores: Sequence[float], activated: Sequence[float]) -> bool:
    """Whether `activated` is the sigmoid of scores, and not the scores again."""
    pairs = list(zip(scores, activated, strict=True))
    apart = sum(abs(value - 1 / (1 + math.exp(-score))) for score, value in pairs)
    return apart < sum(abs(value - score) for score, value in pairs) / 4
