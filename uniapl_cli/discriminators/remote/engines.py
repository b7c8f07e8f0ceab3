"""Requests for POLAR scores and their answers, one class for each kind of inference server.

All are sent token ids: a server would tokenize text again, and not always as POLAR does.
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
    cure: str
    """What to type if a server does not answer with the scores themselves."""

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        ...

    def activated(self, rows: Sequence[Ids]) -> dict[str, Any] | None:
        """Return the request for scores through the activation; None if there is no such one."""
        ...

    def read(self, answer: Any) -> list[Any]:
        """Return the answer's entry for each row, in their order, for `read_score`."""
        ...


engines: Registry[Callable[[], Engine]] = Registry("engine")


@engines.register("sglang")
class SGLang:
    """SGLang with --is-embedding: /classify, a list of {"embedding": [score]}."""

    route = "/classify"
    cure = "Start the server without an activation of scores; POLAR's have no bounds"

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        return {"input_ids": [list(row) for row in rows]}

    def activated(self, rows: Sequence[Ids]) -> None:
        """Return None: it applies none."""

    def read(self, answer: Any) -> list[Any]:
        """Return the embeddings; a single row's may come without the list around it."""
        entries = [answer] if isinstance(answer, Mapping) else answer
        return [_item(entry, "embedding") for entry in _list(entries)]


@engines.register("vllm")
class VLLM:
    """vLLM as a pooling server: /pooling, a list of each row's tokens' [score], the last counts.

    It takes a classifier's score through a sigmoid unless it is asked not to.
    """

    route = "/pooling"
    cure = """Start the server with --pooler-config '{"use_activation": false}'"""

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        return {"input": [list(row) for row in rows], "use_activation": False}

    def activated(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the sigmoids of the scores of `rows`."""
        return {**self.body(rows), "use_activation": True}

    def read(self, answer: Any) -> list[Any]:
        """Return the pooled data, in the order of its `index`."""
        return _pooled(answer)


@engines.register("lmdeploy")
class LMDeploy:
    """LMDeploy: /pooling, a bare number a row."""

    route = "/pooling"
    cure = "Start the server without an activation of scores; POLAR's have no bounds"

    def body(self, rows: Sequence[Ids]) -> dict[str, Any]:
        """Return the request for the scores of `rows`."""
        return {"input": [list(row) for row in rows]}

    def activated(self, rows: Sequence[Ids]) -> None:
        """Return None: it applies none."""

    def read(self, answer: Any) -> list[Any]:
        """Return the pooled data, in the order of its `index`."""
        return _pooled(answer)


def read_score(entry: Any, tokens: int) -> float:
    """Return the score in a server's entry for a row of `tokens` ids.

    That is a number, a list of it, or a list of each token's number or [number], of which the last
    is the score. Raises ValueError for anything else: a server that was not started for POLAR
    answers with a vector, whose first number would pass for a score.
    """
    if isinstance(entry, list):
        if entry and isinstance(entry[-1], list):
            entry = entry[-1]
            tokens = 1
        if len(entry) not in (1, tokens):
            raise ValueError(f"{len(entry)} numbers where one score is needed")
        entry = entry[-1]
    if isinstance(entry, bool) or not isinstance(entry, (int, float)):
        raise ValueError(f"{entry!r:.60} is no score")
    if not math.isfinite(entry):
        raise ValueError(f"the score is {entry}")
    return float(entry)


def _pooled(answer: Any) -> list[Any]:
    """Return the data of a /pooling answer's entries, in the order of their `index`."""
    entries = _list(_item(answer, "data"))
    indices = [entry.get("index", number) for number, entry in enumerate(map(_mapping, entries))]
    if sorted(indices, key=str) != sorted(range(len(entries)), key=str):
        raise ValueError(f"the rows' indices are {indices[:8]}")
    ordered = sorted(zip(indices, entries, strict=True), key=lambda pair: pair[0])
    return [_item(entry, "data") for _, entry in ordered]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is needed, got {value!r:.60}")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"an object is needed, got {value!r:.60}")
    return value


def _item(value: Any, name: str) -> Any:
    if name not in _mapping(value):
        raise ValueError(f"there is no '{name}' in {value!r:.60}")
    return value[name]
