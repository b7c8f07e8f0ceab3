"""TheoremQA: 800 questions of university science, whose answers are of six kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks.benchmark import Benchmark, Item, Turn, benchmarks
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.evaluation.estimates import Share
from uniapl_cli.files import Row
from uniapl_cli.types import Verdict
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraint

ASKED = (
    'Please reason step by step, and end with the sentence "The answer is X.", in which X is a '
    "number without a unit, numbers in round brackets such as (1, 2.5), True, False, or the letter "
    "of an option such as (a)."
)
# Ends the ids of questions that need one.
PICTURE = "-picture"


@benchmarks.register("theoremqa")
class TheoremQA(Benchmark):
    """TheoremQA (arXiv 2305.12524), zero-shot, without the pictures that 53 questions need.

    The prompt names the trigger and the forms that the official grader reads; that grader's rules
    are kept (TIGER-AI-Lab/TheoremQA: utils.py, number_utils.py), but for `eval`, the LaTeX package,
    and that "False" never equals 0. Main: all rows, as the paper counts; `accuracy_text` leaves
    those with a picture out.
    """

    title = "TheoremQA"
    rule = "answer-is-0shot/1"
    domain = "Mathematics"
    upstream = Upstream(
        host="github",
        repo="TIGER-AI-Lab/TheoremQA",
        revision="acfc9686aa9b49f3c8f189364a9a9ee9c53da039",
        files={"theoremqa_test.json": "theoremqa_test.json"},
        licence="MIT",
        sha256={
            "theoremqa_test.json": (
                "4a3c8683534cd1866491d309d16e2e4d79e8110bd503c91b5c4fecaa0f3744c8"
            )
        },
        bytes=429_865,
    )

    def items(self, data: Path) -> list[Item]:
        """Read the authors' file, or rows of the hub, whose answers are texts."""
        items = []
        for number, row in enumerate(
            rows(data, "theoremqa_test.json", "test*.json*", "test*.parquet"), 1
        ):
            answer = constraint("answer:theoremqa", {"answer": _answer(row)}, row.origin)
            turn = Turn(f"{str(field(row, 'Question')).strip()}\n\n{ASKED}", (answer,))
            id = f"{number}{PICTURE if row.values.get('Picture') else ''}"
            items.append(Item(id, (turn,), origin=row.origin))
        return items

    def marks(self, item: Item, turn: int, verdict: Verdict) -> dict[str, Share]:
        """Return the accuracy, and that of questions without a picture."""
        share = (float(verdict.passed), 1.0)
        return {
            "accuracy": share,
            **({} if item.id.endswith(PICTURE) else {"accuracy_text": share}),
        }


def _answer(row: Row) -> Any:
    """Return the answer as a value: where it is a text, as the JSON or Python that it is."""
    answer = field(row, "Answer")
    if not isinstance(answer, str) or row.values.get("Answer_type") == "option":
        return answer
    try:
        return json.loads(answer.lower())
    except ValueError:
        problem = f"'Answer' must be a number, a list of numbers, True or False, not {answer!r:.60}"
        raise DataError(problem, where=row.origin, got=answer) from None
