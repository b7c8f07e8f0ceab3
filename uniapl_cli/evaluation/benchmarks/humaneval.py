"""HumanEval: functions to be completed, by their signature and docstring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uniapl_cli.evaluation.benchmarks.benchmark import (
    Benchmark,
    Graded,
    Item,
    Turn,
    benchmarks,
)
from uniapl_cli.evaluation.benchmarks.pass_at_k import pass_at_k
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.evaluation.estimates import Column
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraint


@benchmarks.register("humaneval")
class HumanEval(Benchmark):
    """HumanEval (164 functions), zero-shot: pass@1 by the tests, within 3 s.

    The prompt is this project's; the official one is the bare text to go on with, for base models.
    The tests, the limit of 3 s and the unbiased pass@k are openai/human-eval's:
    human_eval/execution.py and evaluation.py. Extraction: verifiers/code/humaneval.py.
    """

    title = "HumanEval"
    rule = "block-0shot/1"
    main = "pass@1"
    domain = "Coding"
    upstream = Upstream(
        "github",
        "openai/human-eval",
        "6d43fb980f9fee3c892a914eda09951f772ad10d",
        {"HumanEval.jsonl.gz": "data/HumanEval.jsonl.gz"},
        "MIT",
        {
            "HumanEval.jsonl.gz": (
                "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
            )
        },
        44_877,
    )

    def items(self, data: Path) -> list[Item]:
        """Read the rows, of OpenAI's file or the hub's openai/openai_humaneval."""
        found = []
        for row in rows(data, "HumanEval.jsonl", "HumanEval.jsonl.gz", "**/test*.parquet"):
            kwargs = {name: field(row, name) for name in ("prompt", "entry_point", "test")}
            check = constraint("code:humaneval", kwargs, row.origin)
            turn = Turn(question(str(kwargs["prompt"])), (check,))
            found.append(Item(str(field(row, "task_id")), (turn,), origin=row.origin))
        return found

    def metrics(self, graded: Sequence[Graded]) -> dict[str, list[Column]]:
        """Return pass@k."""
        return pass_at_k(graded)


def question(prompt: str) -> str:
    """Return the prompt of a function that is to be completed."""
    return (
        "Complete this Python function. Answer with the whole function in one Python code block.\n"
        f"\n```python\n{prompt.rstrip()}\n```"
    )
