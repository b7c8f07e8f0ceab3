"""How inference servers are asked for POLAR scores: one class a server.

All are sent token ids: text would be tokenized again there, and not always as POLAR means it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from uniapl_cli.registry import Registry

Ids = Sequence[int]


class Engine(Protocol):
    """A kind of server. `read` raises ValueError for an answer that it does not give."""

    route: str

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        ...

    def read(self, answer: Any) -> list[Any]:
        """Return what the answer says of each row, in their order, for `number` to read."""
        ...


engines: Registry[Callable[[], Engine]] = Registry("engine")


@engines.register("sglang")
class SGLang:
    """SGLang with --is-embedding: /classify, a list of {"embedding": [score]}."""

    route = "/classify"

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        return {"input_ids": [list(row) for row in rows]}

    def read(self, answer: Any) -> list[Any]:
        """Return the embeddings; a single row's may come without the list around it."""
        listed = [answer] if isinstance(answer, Mapping) else answer
        return [_item(entry, "embedding") for entry in _listed(listed)]


@engines.register("vllm")
class VLLM:
    """vLLM as a pooling server: /pooling, a list of each row's tokens' [score], the last counts."""

    route = "/pooling"

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        return {"input": [list(row) for row in rows]}

    def read(self, answer: Any) -> list[Any]:
        """Return what was pooled, by `index`."""
        return _pooled(answer)


@engines.register("lmdeploy")
class LMDeploy:
    """LMDeploy: /pooling, a bare number a row."""

    route = "/pooling"

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        return {"input": [list(row) for row in rows]}

    def read(self, answer: Any) -> list[Any]:
        """Return what was pooled, by `index`."""
        return _pooled(answer)


def number(found: Any, tokens: int) -> float:
    """Return the score in what a server says of a row of `tokens` ids.

    That is a number, a list of it, or a list of each token's number or [number], of which the last
    is the score. Raises ValueError for anything else: a server that was not started for POLAR
    answers with a vector, whose first number would pass for a score.
    """
    if isinstance(found, list):
        if found and isinstance(found[-1], list):
            found = found[-1]
            tokens = 1
        if len(found) not in (1, tokens):
            raise ValueError(f"{len(found)} numbers where one score is needed")
        found = found[-1]
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise ValueError(f"{found!r:.60} is no score")
    if not math.isfinite(found):
        raise ValueError(f"the score is {found}")
    return float(found)


def _pooled(answer: Any) -> list[Any]:
    entries = _listed(_item(answer, "data"))
    places = [entry.get("index", place) for place, entry in enumerate(map(_mapping, entries))]
    if sorted(places, key=str) != sorted(range(len(entries)), key=str):
        raise ValueError(f"the rows' indices are {places[:8]}")
    ordered = sorted(zip(places, entries, strict=True), key=lambda pair: pair[0])
    return [_item(entry, "data") for _, entry in ordered]


def _listed(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise ValueError(f"a list is needed, got {found!r:.60}")
    return found


def _mapping(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise ValueError(f"an object is needed, got {found!r:.60}")
    return found


def _item(found: Any, name: str) -> Any:
    if name not in _mapping(found):
        raise ValueError(f"there is no '{name}' in {found!r:.60}")
    return found[name]
