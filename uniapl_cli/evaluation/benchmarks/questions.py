"""Multiple-choice questions, and how a chat model is asked one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks.benchmark import Benchmark, Graded, Item, Turn
from uniapl_cli.evaluation.benchmarks.reading import field
from uniapl_cli.evaluation.estimates import Column, column
from uniapl_cli.files import Row
from uniapl_cli.types import Constraint, Message
from uniapl_cli.verifiers import constraint

LETTERS = ascii_uppercase


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the option at `gold` of which is right.

    `subject` is named as its files name it. `solution`: how it is solved, where its row says so.
    """

    id: str
    subject: str
    text: str
    options: tuple[str, ...]
    gold: int
    solution: str = ""
    origin: str = ""

    @property
    def letter(self) -> str:
        """The letter of the right option."""
        return LETTERS[self.gold]

    def lettered(self, mark: str = ".") -> str:
        """Return the options, a line each, behind their letters."""
        pairs = zip(LETTERS, self.options, strict=False)
        return "\n".join(f"{letter}{mark} {option}" for letter, option in pairs)


def question(row: Row, subject: str, id: str, options: Sequence[object]) -> Question:
    """Read a question with these options. Raises DataError where its answer is none of them."""
    answer = field(row, "answer", "Answer")
    letters = LETTERS[: len(options)]
    index = answer if isinstance(answer, int) else _index(letters, str(answer).strip())
    if not 0 <= index < len(options):
        problem = f"the answer {answer!r} is none of the {len(options)} options"
        raise DataError(problem, where=row.origin, got=answer, allowed=list(letters))
    text = str(field(row, "question", "Question"))
    solution = str(row.values.get("explanation") or row.values.get("cot_content") or "")
    return Question(id, subject, text, tuple(map(str, options)), index, solution, row.origin)


def _index(letters: str, answer: str) -> int:
    return letters.index(answer) if answer in tuple(letters) else -1


@cache
def _constraint(answer: str, options: int, rule: str) -> Constraint:
    return constraint("answer:choice", {"answer": answer, "options": options, "rule": rule})


def asked(question: Question, prompt: str, rule: str, shots: tuple[Message, ...] = ()) -> Item:
    """Return the item whose prompt asks a question, its answer read by a rule of answer:choice."""
    turn = Turn(prompt, (_constraint(question.letter, len(question.options), rule),))
    return Item(question.id, (turn,), question.subject, shots, origin=question.origin)


def step_by_step(question: Question) -> str:
    """Return the prompt of simple-evals (openai/simple-evals: common.py)."""
    letters = LETTERS[: len(question.options)]
    return (
        "Answer the following multiple choice question. The last line of your response should be "
        f"of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of "
        f"{letters}. Think step by step before answering.\n\n{question.text}\n\n"
        f"{question.lettered(')')}"
    )


def enough(shots: Mapping[str, Sequence[Question]], count: int, subject: str) -> list[Question]:
    """Return the first `count` solved questions of a subject. Raises DataError for fewer."""
    found = shots.get(subject, ())
    if len(found) < count:
        problem = f"'{subject}' has {len(found)} solved examples, and {count} are asked for"
        raise DataError(problem, f"shots={len(found)}", key="shots", got=count)
    return list(found[:count])


class Choices(Benchmark):
    """A benchmark of questions by subject; `_subjects` is the mean of the subjects' means."""

    def metrics(self, graded: Sequence[Graded]) -> dict[str, list[Column]]:
        """Return the means over rows and over subjects."""
        metrics = super().metrics(graded)
        if self.over_subsets:
            return metrics
        by_subject: dict[str, list[Graded]] = {}
        for one in graded:
            by_subject.setdefault(one.item.subset, []).append(one)
        return {
            **metrics,
            **{
                f"{name}_subjects": [column(of_one, name) for of_one in by_subject.values()]
                for name in metrics
            },
        }
