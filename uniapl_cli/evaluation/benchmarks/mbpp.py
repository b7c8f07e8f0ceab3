"""MBPP: small tasks for Python, with their assertions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from uniapl_cli.data.layouts.mbpp import mbpp
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks.benchmark import (
    Benchmark,
    Domain,
    Graded,
    Item,
    Turn,
    benchmarks,
)
from uniapl_cli.evaluation.benchmarks.pass_at_k import pass_at_k
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.evaluation.estimates import Column
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraints

# The others are for few-shot prompts (1-10), validation and training.
TEST_IDS = range(11, 511)
SUMS = {
    "mbpp.jsonl": "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
    "sanitized-mbpp.json": "ca95deaa9a01ef0a6f439f88bcf0dd3db3563d22f22aad6cae04ebb9a8d8c8e9",
}
UPSTREAM = Upstream(
    "github",
    "google-research/google-research",
    "041338718b4e8151372fd63677104c65b73a0a4e",
    {name: f"mbpp/{name}" for name in SUMS},
    "CC-BY-4.0",
    SUMS,
    818_796,
    folder="mbpp",
)


@benchmarks.register("mbpp")
class Mbpp(Benchmark):
    """MBPP (500 tasks, ids 11 to 510), zero-shot: pass@1 by the three tests, within 10 s.

    The official prompt has three solved tasks and [BEGIN] and [DONE] around the answer
    (google-research/google-research: mbpp/README.md); this one shows the same three tests and asks
    for a code block, as chat models answer. Prompt: data/layouts/mbpp.py, which training shares.
    Extraction: verifiers/code/tests.py.
    """

    title = "MBPP"
    rule = "block-0shot/1"
    main = "pass@1"
    domain: ClassVar[Domain | None] = "Coding"
    upstream = UPSTREAM
    files: ClassVar[tuple[str, ...]] = ("mbpp.jsonl", "full/test*.parquet")

    def items(self, data: Path) -> list[Item]:
        """Read the rows of the test split, of Google's files or the hub's."""
        found = []
        for row in rows(data, *self.files):
            number = field(row, "task_id")
            if not str(number).isdecimal():
                raise DataError("'task_id' must be a number", where=row.origin, got=number)
            if int(number) in TEST_IDS:
                example = mbpp(row, constraints)
                turn = Turn(example.prompt[-1].content, example.constraints)
                found.append(Item(str(number), (turn,), origin=row.origin))
        return found

    def metrics(self, graded: Sequence[Graded]) -> dict[str, list[Column]]:
        """Return pass@k."""
        return pass_at_k(graded)


@benchmarks.register("mbpp_sanitized")
class MbppSanitized(Mbpp):
    """MBPP's 257 test tasks that its authors checked by hand, in the wording they gave them.

    All else is as in MBPP. It enters no average: the paper's rates are of 500.
    """

    title = "MBPP (sanitized)"
    domain = None
    files = ("sanitized-mbpp.json", "sanitized/test*.parquet")
