"""The share of tasks that one of k draws solves, estimated from more draws than k."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from uniapl_cli.evaluation.benchmarks.benchmark import Graded
from uniapl_cli.evaluation.estimates import Column

MARK = "accuracy"


def pass_at_k(graded: Sequence[Graded]) -> dict[str, list[Column]]:
    """Return `pass@1`, `pass@2` ... up to the number of draws that every task has.

    Without bias, as the paper on HumanEval has it: of n draws with c right ones,
    1 - C(n - c, k) / C(n, k) is the chance that k of them have a right one.
    """
    draws: dict[str, list[float]] = {}
    for one in graded:
        if MARK in one.marks:
            draws.setdefault(one.item.id, []).append(one.marks[MARK][0])
    most = min(map(len, draws.values()), default=0)
    return {
        f"pass@{k}": [{id: (_chance(right, k), 1.0) for id, right in draws.items()}]
        for k in range(1, most + 1)
    }


def _chance(right: Sequence[float], k: int) -> float:
    n, c = len(right), round(sum(right))
    return 1.0 - comb(n - c, k) / comb(n, k)
