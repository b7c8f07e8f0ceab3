"""How a chat model is asked the questions of a Chinese exam."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from uniapl_cli.evaluation.benchmarks.benchmark import Item
from uniapl_cli.evaluation.benchmarks.exams import Exam
from uniapl_cli.evaluation.benchmarks.questions import Choices, Question, asked, enough
from uniapl_cli.options import key
from uniapl_cli.types import Message


class ChineseExam(Choices):
    """An exam asked of a chat model: "答案：X" on the last line, behind a chain of thought."""

    exam: ClassVar[Exam]
    header: ClassVar[str]
    domain = "Chinese"
    over_subsets = True

    shots: int = key(0, "solved examples of its subject before each question, as turns", ge=0, le=5)

    def items(self, data: Path) -> list[Item]:
        """Read the files of its authors, or the hub's."""
        solved = self.exam.shots(data, self.shots)
        questions = self.exam.questions(data)
        shots = {
            subject: self._turns(enough(solved, self.shots, subject))
            for subject in dict.fromkeys(one.subject for one in questions)
        }
        return [
            asked(one, self._ask(one, first=not self.shots), "chinese", shots[one.subject])
            for one in questions
        ]

    def _ask(self, question: Question, first: bool) -> str:
        header = self.header.format(self.exam.subject(question.subject)) if first else ""
        ending = "请先分析，再在最后一行写“答案：X”，其中X是正确选项的字母。"
        return f"{header}{self.exam.text(question)}\n\n{ending}"

    def _turns(self, solved: list[Question]) -> tuple[Message, ...]:
        return tuple(
            message
            for number, one in enumerate(solved)
            for message in (
                Message("user", self._ask(one, first=number == 0)),
                Message("assistant", f"{one.solution}\n答案：{one.letter}".lstrip()),
            )
        )
