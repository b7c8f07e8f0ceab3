"""GSM8K: 1,319 word problems of school mathematics."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.data.layouts.gsm8k import gsm8k
from uniapl_cli.evaluation.benchmarks.benchmark import Benchmark, Item, Turn, benchmarks
from uniapl_cli.evaluation.benchmarks.reading import rows
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraints


@benchmarks.register("gsm8k")
class GSM8K(Benchmark):
    r"""GSM8K (arXiv 2110.14168), zero-shot, with the answer in a box.

    Prompt: the wording of Qwen3's model cards, which training shares (boxed.py). The last \boxed{}
    is read, else the number behind `####` as officially (openai/grade-school-math:
    grade_school_math/dataset.py), else the last number; compared as decimals.
    """

    title = "GSM8K"
    rule = "boxed-0shot/1"
    domain = "Mathematics"
    upstream = Upstream(
        host="github",
        repo="openai/grade-school-math",
        revision="3101c7d5072418e28b9008a6636bde82a006892c",
        files={"test.jsonl": "grade_school_math/data/test.jsonl"},
        licence="MIT",
        sha256={"test.jsonl": "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14"},
        bytes=749_738,
    )

    def items(self, data: Path) -> list[Item]:
        """Read OpenAI's file, or the hub's."""
        found = rows(data, "test.jsonl", "main/test*.parquet", "test*.parquet", "*test*.jsonl")
        examples = [gsm8k(row, constraints) for row in found]
        return [
            Item(str(number), (Turn(one.prompt[-1].content, one.constraints),), origin=one.origin)
            for number, one in enumerate(examples, 1)
        ]
