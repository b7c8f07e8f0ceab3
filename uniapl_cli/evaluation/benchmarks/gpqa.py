"""GPQA-Diamond: 198 questions of biology, chemistry and physics, which stand in no repository."""

from __future__ import annotations

import hashlib
from itertools import permutations
from pathlib import Path

from uniapl_cli.evaluation.benchmarks.benchmark import Item, benchmarks
from uniapl_cli.evaluation.benchmarks.questions import Choices, Question, asked, step_by_step
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.files import Row
from uniapl_cli.upstream import Upstream

ORDERS = tuple(permutations(range(4)))
# The first is right.
OPTIONS = ("Correct Answer", *(f"Incorrect Answer {number}" for number in (1, 2, 3)))


@benchmarks.register("gpqa")
class Gpqa(Choices):
    """GPQA-Diamond (arXiv 2311.12022) asked of a chat model.

    Prompt and reading: simple-evals, zero-shot, "Answer: X" behind a chain of thought
    (openai/simple-evals: common.py, gpqa_eval.py); here the last one counts, texts are stripped,
    and the order of the options follows from the question alone. Main: the mean over rows.
    """

    title = "GPQA-Diamond"
    rule = "answer-line-0shot/1"
    domain = "English"
    upstream = Upstream(
        host="dataset",
        repo="Idavidrein/gpqa",
        revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
        files={"gpqa_diamond.csv": "gpqa_diamond.csv"},
        licence="CC-BY-4.0",
        sha256={
            "gpqa_diamond.csv": "41d1213cd7a4998605a26c2798500652572007161b3a92817ba46b35befcd305",
        },
        bytes=1_373_492,
        gated=True,
    )

    def items(self, data: Path) -> list[Item]:
        """Read the hub's file."""
        patterns = ("gpqa_diamond.csv", "*diamond*.csv", "*diamond*.parquet", "*diamond*.jsonl")
        questions = [_question(row, number) for number, row in enumerate(rows(data, *patterns))]
        return [asked(one, step_by_step(one), "announced") for one in questions]


def order_of(question: str) -> tuple[int, ...]:
    """Return the order of a question's options: which stands first, second ..."""
    digest = hashlib.sha256(question.encode()).digest()
    return ORDERS[int.from_bytes(digest, "big") % len(ORDERS)]


def _question(row: Row, number: int) -> Question:
    text = str(field(row, "Question")).strip()
    order = order_of(text)
    return Question(
        str(row.values.get("Record ID") or number),
        str(row.values.get("High-level domain") or ""),
        text,
        tuple(str(field(row, OPTIONS[index])).strip() for index in order),
        order.index(0),
        origin=row.origin,
    )
