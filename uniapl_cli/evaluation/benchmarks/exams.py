"""Exams of many subjects, with files a subject: MMLU, CMMLU and C-Eval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from uniapl_cli.data import open_rows
from uniapl_cli.errors import DataError, unknown
from uniapl_cli.evaluation.benchmarks.benchmark import ChoiceItem
from uniapl_cli.evaluation.benchmarks.questions import (
    LETTERS,
    Choices,
    Question,
    enough,
    question,
)
from uniapl_cli.evaluation.benchmarks.reading import field, find, headless
from uniapl_cli.files import Row
from uniapl_cli.options import key

FOUR = LETTERS[:4]


@dataclass(frozen=True, slots=True)
class Exam:
    """An exam's files, and its official plain-text prompt.

    solved, asked: the splits of the shots and of the questions. subject: what it is called in a
    prompt. header: of a prompt, with {} for that. before, cue: what stands before and behind a
    question. letter: an option as it is scored. named: whether the CSV files have a header.
    """

    solved: str
    asked: str
    subject: Callable[[str], str]
    header: str
    cue: str
    before: str = ""
    letter: str = "{}"
    named: bool = True

    def questions(self, data: Path) -> list[Question]:
        """Read the questions, subject by subject in the order of files. Raises DataError."""
        return self._read(data, self.asked)

    def shots(self, data: Path, count: int) -> dict[str, list[Question]]:
        """Read the solved questions by subject, none where `count` is 0. Raises DataError."""
        if not count:
            return {}
        if data.is_file():
            problem = f"'{data}' is one file, and shots are read from the split '{self.solved}'"
            raise DataError(problem, "Name the folder, or shots=0", key="shots", got=count)
        by_subject: dict[str, list[Question]] = {}
        for one in self._read(data, self.solved):
            by_subject.setdefault(one.subject, []).append(one)
        return by_subject

    def _read(self, data: Path, split: str) -> list[Question]:
        tables = (f"all/{split}-*.parquet", f"*/{split}-*.parquet", f"{split}-*.parquet")
        counts: Counter[str] = Counter()
        found = []
        for path in find(data, *tables, f"{split}/*.csv", f"data/{split}/*.csv"):
            for row in self._rows(path):
                subject = str(row.values.get("subject") or _subject_of(path, split))
                options = row.values.get("choices") or [field(row, letter) for letter in FOUR]
                found.append(question(row, subject, f"{subject}/{counts[subject]}", options))
                counts[subject] += 1
        return found

    def _rows(self, path: Path) -> list[Row]:
        if path.suffix == ".csv" and not self.named:
            return headless(path, ("question", *FOUR, "answer"))
        return list(open_rows(str(path)))

    def text(self, question: Question) -> str:
        """Return a question with its options, as the official prompt shows them."""
        return f"{self.before}{question.text}\n{question.lettered()}"

    def contexts(self, data: Path, shots: int) -> list[ChoiceItem]:
        """Return the questions, their letters to be scored behind the official prompt."""
        solved = self.shots(data, shots)
        asked = self.questions(data)
        starts = {
            subject: self.header.format(self.subject(subject))
            + "".join(
                f"{self.text(one)}{self.cue}{self.letter.format(one.letter)}\n\n"
                for one in enough(solved, shots, subject)
            )
            for subject in dict.fromkeys(one.subject for one in asked)
        }
        letters = tuple(self.letter.format(letter) for letter in FOUR)
        return [
            ChoiceItem(
                one.id,
                starts[one.subject] + self.text(one) + self.cue,
                letters[: len(one.options)],
                one.gold,
                one.subject,
                one.origin,
            )
            for one in asked
        ]


def _subject_of(path: Path, split: str) -> str:
    """Return the subject that a file is of: its folder's name, or its own."""
    return path.parent.name if path.suffix == ".parquet" else path.stem.removesuffix(f"_{split}")


def named(names: dict[str, str]) -> Callable[[str], str]:
    """Return how a subject is called, by a table of names."""

    def name(subject: str) -> str:
        """Return the name. Raises DataError for a subject that is not in the table."""
        if subject not in names:
            raise unknown("subject", subject, names, DataError)
        return names[subject]

    return name


class LetterLikelihood(Choices):
    """An exam by how likely each option's letter is behind the official plain-text prompt."""

    exam: ClassVar[Exam]
    shots: int = key(5, "solved examples of its subject before each question", ge=0, le=5)

    def items(self, data: Path) -> list[ChoiceItem]:
        """Return the questions behind their subject's solved examples."""
        return self.exam.contexts(data, self.shots)
