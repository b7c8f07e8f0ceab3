"""AutoIF's verification functions: a row has several, each `evaluate(response)` as source text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from uniapl_cli.sandbox.call import Call, Outcome
from uniapl_cli.sandbox.pool import Sandbox


def autoif(box: Sandbox, sources: Sequence[str], response: str) -> list[Outcome]:
    """Run each function on a response; one outcome a source, in their order."""
    return autoif_many(box, [(sources, response)])[0]


def autoif_many(box: Sandbox, rows: Iterable[tuple[Sequence[str], str]]) -> list[list[Outcome]]:
    """Run each row's functions on its response, all rows in parallel.

    Rows repeat functions: the same source on the same response is run once.
    """
    rows = list(rows)
    pairs = dict.fromkeys((source, response) for sources, response in rows for source in sources)
    outcomes = box.run(Call(source, args=(response,)) for source, response in pairs)
    known = dict(zip(pairs, outcomes, strict=True))
    return [[known[source, response] for source in sources] for sources, response in rows]
