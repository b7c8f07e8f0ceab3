"""MATH: competition problems; all 5,000 of its test set, or the 500 of MATH-500."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.data.layouts.math import math
from uniapl_cli.evaluation.benchmarks.benchmark import Benchmark, Item, Turn, benchmarks
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.files import Row
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import check_packages, constraints

_SUBJECTS = (
    *("algebra", "counting_and_probability", "geometry", "intermediate_algebra"),
    *("number_theory", "prealgebra", "precalculus"),
)


class _Problems(Benchmark):
    """Problems with the answer asked for in a box."""

    rule = "boxed-0shot/1"
    domain = "Mathematics"


def _items(found: list[Row]) -> list[Item]:
    """Read problems; their subjects are the subsets. Raises ConfigError without math-verify."""
    items = []
    for number, row in enumerate(found, 1):
        one = math(row, constraints)
        turn = Turn(one.prompt[-1].content, one.constraints)
        subject = str(field(row, "subject", "type"))
        items.append(Item(str(number), (turn,), subject, origin=one.origin))
    check_packages(c for item in items for turn in item.turns for c in turn.constraints)
    return items


@benchmarks.register("math")
class MATH(_Problems):
    r"""MATH (arXiv 2103.03874), all 5,000 problems of the test set, zero-shot.

    Prompt: the wording of Qwen3's model cards, which training shares (boxed.py). The last balanced
    \boxed{} is read, of the solution too; it is right as the same text, as the same plain number,
    or by math-verify 0.9.0 (huggingface/Math-Verify: src/math_verify/grader.py).
    """

    title = "MATH"
    upstream = Upstream(
        host="dataset",
        repo="EleutherAI/hendrycks_math",
        revision="21a5633873b6a120296cce3e2df9d5550074f4a3",
        files={
            f"{name}/test-00000-of-00001.parquet": f"{name}/test-00000-of-00001.parquet"
            for name in _SUBJECTS
        },
        licence="MIT",
    )

    def items(self, data: Path) -> list[Item]:
        """Read the hub's files of subjects, or one of all."""
        return _items(rows(data, "*/test*.parquet", "test*.parquet", "test*.jsonl"))


@benchmarks.register("math500")
class MATH500(_Problems):
    """MATH-500 (arXiv 2305.20050): 500 of MATH's test problems, by the same rule.

    Stands for `math` in the averages where that one is not measured.
    """

    title = "MATH-500"
    instead_of = "math"
    upstream = Upstream(
        host="dataset",
        repo="HuggingFaceH4/MATH-500",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        files={"test.jsonl": "test.jsonl"},
        licence="MIT",
        sha256={"test.jsonl": "35dc41080a3680858b27fa7e0533d2d547825316fc5dafe5d316f4ccc5a06132"},
    )

    def items(self, data: Path) -> list[Item]:
        """Read the hub's file."""
        return _items(rows(data, "test.jsonl", "test*.parquet", "*.jsonl"))
