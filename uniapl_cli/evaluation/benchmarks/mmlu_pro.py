"""MMLU-Pro: 12,032 questions of 14 categories, with three to ten options."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks.benchmark import Item, benchmarks
from uniapl_cli.evaluation.benchmarks.questions import Choices, Question, asked, enough, question
from uniapl_cli.evaluation.benchmarks.reading import field, rows
from uniapl_cli.options import key
from uniapl_cli.types import Message
from uniapl_cli.upstream import Upstream

HEADER = (
    "The following are multiple choice questions (with answers) about {}. Think step by step and "
    'then finish your answer with "the answer is (X)" where X is the correct letter choice.\n\n'
)


@benchmarks.register("mmlu_pro")
class MmluPro(Choices):
    """MMLU-Pro (arXiv 2406.01574) asked of a chat model.

    Prompt: TIGER-AI-Lab/MMLU-Pro: cot_prompt_lib/initial_prompt.txt and evaluate_from_local.py,
    whose five solved questions of the category are turns here, or none. Reading: the three levels
    there, without a random option where none reads any. Main: the mean over rows, as there.
    """

    title = "MMLU-Pro"
    rule = "three-levels-cot/1"
    domain = "English"
    upstream = Upstream(
        host="dataset",
        repo="TIGER-Lab/MMLU-Pro",
        revision="b189ec765aa7ed75c8acfea42df31fdae71f97be",
        files={
            name: name
            for name in (
                "data/test-00000-of-00001.parquet",
                "data/validation-00000-of-00001.parquet",
            )
        },
        licence="MIT",
        sha256={
            "data/test-00000-of-00001.parquet": (
                "0e24a191921c2f453518a537a8b2117bd137e7714d4ef1565e9ba06c1ecb9ad8"
            )
        },
    )

    shots: int = key(0, "solved questions of its category before each, as turns", ge=0, le=5)

    def items(self, data: Path) -> list[Item]:
        """Read the hub's files, or the answers of a model as its authors keep them."""
        asks = _read(data, "test", "model_outputs*.json")
        solved: dict[str, list[Question]] = {}
        for one in self._solved(data):
            solved.setdefault(one.subject, []).append(one)
        shots = {
            subject: _turns(enough(solved, self.shots, subject))
            for subject in dict.fromkeys(one.subject for one in asks)
        }
        return [
            asked(
                one,
                _ask(one, first=not self.shots),
                "three_levels",
                shots[one.subject],
            )
            for one in asks
        ]

    def _solved(self, data: Path) -> list[Question]:
        if not self.shots:
            return []
        if data.is_file():
            problem = f"'{data}' is one file, and shots are read from the split 'validation'"
            raise DataError(problem, "Name the folder, or shots=0", key="shots", got=self.shots)
        return _read(data, "validation")


def _read(data: Path, split: str, *others: str) -> list[Question]:
    kinds = ("-*.parquet", "*.parquet", "*.jsonl", "*.json")
    patterns = (f"data/{split}-*.parquet", *(split + kind for kind in kinds), *others)
    found = []
    for number, row in enumerate(rows(data, *patterns)):
        options = [option for option in field(row, "options") if option != "N/A"]
        id = str(row.values.get("question_id", number))
        found.append(question(row, str(field(row, "category")), id, options))
    return found


def _ask(question: Question, first: bool) -> str:
    header = HEADER.format(question.subject) if first else ""
    return f"{header}Question:\n{question.text}\nOptions:\n{question.lettered()}"


def _turns(solved: list[Question]) -> tuple[Message, ...]:
    return tuple(
        message
        for number, one in enumerate(solved)
        for message in (
            Message("user", _ask(one, first=number == 0)),
            Message("assistant", one.solution.removeprefix("A: ")),
        )
    )
