"""Multi-IF: conversations of three turns in eleven languages, whose instructions add up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from uniapl_cli.data.layouts.multi_if import has, instructions, question
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks.benchmark import (
    Benchmark,
    Domain,
    Graded,
    Item,
    Turn,
    benchmarks,
)
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.evaluation.estimates import Column, Share, column
from uniapl_cli.files import Row
from uniapl_cli.types import Constraint, Verdict
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraints
from uniapl_cli.verifiers.multi_if.needs import NEEDS, missing

RATES = ("prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose")
TURNS = (1, 2, 3)
# Languages, as response_language names them, whose packages may be absent.
ASKED = {"th": "Thai", "zh-cn": "Chinese", "zh-tw": "Chinese", "ja": "Chinese"}


@benchmarks.register("multi_if")
class MultiIF(Benchmark):
    """Multi-IF, every turn behind the model's own answers to those before it.

    Prompt and metric: facebookresearch/Multi-IF: metrics.py (four rates a turn and language; a turn
    of "None" ends its conversation). `overall` is that of open-compass/opencompass: multi_if.py,
    the mean of the turns' means of the rates over all languages, by Multi-IF's own checkers; unlike
    there, conversations of two turns count in those. `overall_languages` is the mean of the
    languages' values instead, as the paper's tables average (arXiv:2410.15553).
    """

    title: ClassVar[str] = "Multi-IF"
    rule: ClassVar[str] = "own-answers-4rates/1"
    main: ClassVar[str] = "overall"
    extracts: ClassVar[bool] = False
    domain: ClassVar[Domain | None] = "I-Following"
    upstream: ClassVar[Upstream] = Upstream(
        host="dataset",
        repo="facebook/Multi-IF",
        revision="0ab97ce0b45c7f57772e8ba2ac1616f4b00bd3aa",
        files={"multiIF_20241018.csv": "multiIF_20241018.csv"},
        licence="CC-BY-NC-2.0",
    )

    def items(self, data: Path) -> list[Item]:
        """Read the conversations. One that a checker of its language is missing for is refused."""
        seen: dict[str, int] = {}
        return [_item(row, seen) for row in rows(data, "*.csv", "*.parquet", "*.jsonl")]

    def marks(self, item: Item, turn: int, verdict: Verdict) -> dict[str, Share]:
        """Return the four rates' shares of the turn; none where a checker could not judge."""
        if not verdict.strict or any(verdict.errors):
            return {}
        shares: list[Share] = []
        for followed in (verdict.strict, verdict.loose):
            shares += [(float(all(followed)), 1.0), (float(sum(followed)), float(len(followed)))]
        return {f"turn_{turn + 1}_{r}": share for r, share in zip(RATES, shares, strict=True)}

    def metrics(self, graded: Sequence[Graded]) -> dict[str, list[Column]]:
        """Return the rates of each turn, their means, and the means of those."""
        by_turn = _by_turn(graded)
        languages = {one.item.subset: None for one in graded}
        each = [_by_turn([g for g in graded if g.item.subset == name]) for name in languages]
        return {
            "overall": [one for columns in by_turn.values() for one in columns.values()],
            "overall_languages": [
                c for turns in each for cs in turns.values() for c in cs.values()
            ],
            **{turn: list(columns.values()) for turn, columns in by_turn.items()},
            **{name: [one] for columns in by_turn.values() for name, one in columns.items()},
        }


def _by_turn(graded: Sequence[Graded]) -> dict[str, dict[str, Column]]:
    """Return the four rates' columns of each turn that has any."""
    named = {f"turn_{n}": [f"turn_{n}_{rate}" for rate in RATES] for n in TURNS}
    columns = {turn: {n: column(graded, n) for n in names} for turn, names in named.items()}
    return {turn: rates for turn, rates in columns.items() if all(rates.values())}


def _item(row: Row, seen: dict[str, int]) -> Item:
    key, language = str(field(row, "key")), str(field(row, "language"))
    seen[key] = seen.get(key, 0) + 1
    turns, refused = [], ""
    for number in TURNS:
        if not has(row, f"turn_{number}_prompt"):
            break
        checks: tuple[Constraint, ...] = ()
        if has(row, f"turn_{number}_instruction_id_list"):
            ids, kwargs = instructions(row, number)
            try:
                checks = constraints(ids, kwargs, row.origin)
            except DataError as error:
                refused = refused or f"turn {number}: {error.problem}"
        turns.append(Turn(question(row, number), checks))
        refused = refused or _unable(checks, language)
    if not turns:
        raise DataError("a conversation without a turn", where=row.origin, key="turn_1_prompt")
    id = key if seen[key] == 1 else f"{key}#{seen[key]}"
    return Item(id, tuple(turns), language, refused=refused, origin=row.origin)


def _unable(checks: Sequence[Constraint], language: str) -> str:
    """Return why a response in its language, or the one asked for, could not be judged; or ""."""
    asked = {language}
    for check in checks:
        if check.id == "language:response_language":
            asked.add(ASKED.get(str(check.kwargs["language"]), ""))
    reasons = {
        f"{check.id} {reason}"
        for check in checks
        for name in asked
        if (reason := missing(*NEEDS.get((check.id, name), ())))
    }
    return min(reasons, default="")
