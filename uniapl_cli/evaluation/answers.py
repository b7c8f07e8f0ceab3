"""The evaluated model's answers, kept in a file as they come, so that a restart goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.errors import DataError, TeacherError
from uniapl_cli.files import Row
from uniapl_cli.runs.console import bar
from uniapl_cli.runs.fingerprint import of_text
from uniapl_cli.seeding import derive
from uniapl_cli.teachers import Answer, Failure, Question, Teacher
from uniapl_cli.teachers.local import TOO_LONG
from uniapl_cli.types import Message, Progress, Sampling

KEY = "eval.out"
# What a row of an answer holds.
KINDS = {
    "id": str,
    "turn": int,
    "sample": int,
    "question": str,
    "response": str,
    "finish_reason": str,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of an item, the `turn`-th of its conversation, to be answered by each sample.

    Samples are numbers; of a conversation's later turns each has a question of its own, behind its
    own answers. `origin` is for messages.
    """

    id: str
    turn: int
    samples: tuple[int, ...]
    messages: tuple[Message, ...]
    origin: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def digest(self) -> str:
        """A digest of the conversation, by which a restart knows that it is the same."""
        said: list[Any] = [[message.role, message.content] for message in self.messages]
        said += [dict(tool) for tool in self.tools]
        return of_text(json.dumps(said))


# An item's id, the turn of its conversation, the number of the sample.
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Draw:
    """One way of sampling the model, with `samples` answers a question, seeded by `seed`."""

    name: str
    samples: int
    sampling: Sampling
    seed: int = 0


class Answers:
    """The answers to some questions by one draw, which are asked for each time.

    A prompt that fills the model's context is an error, or with `long_is_wrong` an answer that says
    nothing.
    """

    def __init__(self, draw: Draw, *, long_is_wrong: bool = False) -> None:
        self.draw, self.long_is_wrong = draw, long_is_wrong

    def answers(
        self, asked: Sequence[Asked], load: Callable[[], Teacher], title: str
    ) -> dict[Place, Answer]:
        """Return all samples of the questions. Raises TeacherError where one has no answer."""
        with bar(title, sum(len(one.samples) for one in asked)) as shown:
            found = {}
            for one, sample, answer in self._ask(asked, load, shown.tokens):
                found[one.id, one.turn, sample] = answer
                shown.advance()
        return found

    def _ask(
        self, asked: Sequence[Asked], load: Callable[[], Teacher], progress: Progress
    ) -> Iterator[tuple[Asked, int, Answer]]:
        if not asked:
            return
        questions = [
            Question(
                one.messages, tuple(self._seed(one, n) for n in one.samples), one.origin, one.tools
            )
            for one in asked
        ]
        with closing(load().answer(questions, self.draw.sampling, progress)) as results:
            for index, number, result in results:
                one = asked[index]
                yield one, one.samples[number], self._accepted(one, result)

    def _seed(self, one: Asked, sample: int) -> int:
        return derive(self.draw.seed, "eval", self.draw.name, one.id, one.turn, sample)

    def _accepted(self, one: Asked, result: Answer | Failure) -> Answer:
        """Return the answer, of a prompt that is too long an empty one. Raises TeacherError."""
        if isinstance(result, Answer):
            # Half of a surrogate pair is no text, and could not be written.
            return replace(result, text=result.text.encode("utf-8", "replace").decode())
        if result.kind == TOO_LONG and self.long_is_wrong:
            return Answer("", "length", None, 0)
        advice = "All answers so far are kept: repeat the command to go on"
        if result.kind == TOO_LONG:
            advice = "Ask for fewer shots, or count it as wrong with eval.too_long=wrong"
        raise TeacherError(result.reason, advice, where=one.origin or one.id)


class AnswerFile(Answers):
    """The answers to some questions by one draw, kept in a file.

    `provenance`: what decides them; a file of other answers is refused. `key` is the config's of
    the folder.
    """

    def __init__(
        self,
        path: Path,
        provenance: Mapping[str, Any],
        draw: Draw,
        *,
        long_is_wrong: bool = False,
        key: str = KEY,
    ) -> None:
        super().__init__(draw, long_is_wrong=long_is_wrong)
        self.path, self.key = path, key
        self.rows = AppendOnlyRows(path, provenance, key)

    def answers(
        self, asked: Sequence[Asked], load: Callable[[], Teacher], title: str
    ) -> dict[Place, Answer]:
        """Return all samples of the questions; those that the file lacks are asked for.

        The model is loaded only for these. Raises TeacherError for a question that it fails to
        answer; the answers so far are kept.
        """
        with self.rows as file:
            known = self._known(asked)
            missing = [
                replace(one, samples=lacking)
                for one in asked
                if (lacking := tuple(n for n in one.samples if (one.id, one.turn, n) not in known))
            ]
            total, left = (sum(len(one.samples) for one in some) for some in (asked, missing))
            with bar(title, total, total - left) as shown:
                for one, sample, answer in self._ask(missing, load, shown.tokens):
                    file.add(self._row(one, sample, answer))
                    known[one.id, one.turn, sample] = answer
                    shown.advance()
        return known

    def kept(self) -> Iterator[Row]:
        """Yield the rows of answers that the file holds."""
        return self.rows.rows()

    def _known(self, asked: Sequence[Asked]) -> dict[Place, Answer]:
        """Return the answers that the file has. Raises DataError where a question has changed."""
        digests = {(one.id, one.turn, n): one.digest for one in asked for n in one.samples}
        known: dict[Place, Answer] = {}
        for row in self.kept():
            place, digest, answer = read_answer(row, self.key)
            if digests.get(place, digest) != digest:
                problem = f"the question of '{place[0]}' has changed since it was answered"
                raise DataError(problem, otherwise(self.key), where=row.origin, got=place[0])
            if place in digests:
                known[place] = answer
        return known

    def _row(self, one: Asked, sample: int, answer: Answer) -> dict[str, Any]:
        return {
            "id": one.id,
            "turn": one.turn,
            "sample": sample,
            "question": one.digest,
            "response": answer.text,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "response_tokens": answer.response_tokens,
        }


def otherwise(key: str) -> str:
    """Return what to do about a file of other answers; `key` is the config's of its folder."""
    return f"Delete the file, or set another {key}"


def read_answer(row: Row, key: str = KEY) -> tuple[Place, str, Answer]:
    """Return an answer's place, its question's digest and itself. Raises DataError."""
    for name, kind in KINDS.items():
        if not isinstance(row.values.get(name), kind):
            problem = (
                f"no row of an answer that uniapl wrote: '{name}' is missing, or no {kind.__name__}"
            )
            raise DataError(problem, otherwise(key), where=row.origin, got=row.values.get(name))
    id, turn, sample, digest, text, reason = (row.values[name] for name in KINDS)
    tokens = [row.values.get(name) for name in ("prompt_tokens", "response_tokens")]
    return (id, turn, sample), digest, Answer(text, reason, tokens[0], tokens[1])
