"""A teacher in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation import Generator, Request
from uniapl_cli.teachers.teacher import Answer, Question, Results, flaw
from uniapl_cli.types import Progress, Sampling


@dataclass(frozen=True)
class LocalTeacher:
    """A Teacher that asks a generator in this process."""

    generator: Generator
    chat: Chat

    def answer(
        self,
        questions: Sequence[Question],
        sampling: Sampling,
        progress: Progress | None = None,
    ) -> Results:
        """Yield the answers as they get done.

        Raises ModelError, before any, for a question that the chat template cannot write.
        """
        requests = list(map(self._request, questions))
        for index, completions in self.generator.generate(requests, sampling, progress):
            length = len(requests[index].prompt_ids)
            for sample, done in enumerate(completions):
                answer = Answer(done.text, done.finish_reason, length, len(done.token_ids))
                yield index, sample, flaw(done.text, done.finish_reason) or answer

    def _request(self, question: Question) -> Request:
        try:
            prompt_ids = self.chat.prompt_ids(question.messages, question.tools)
        except ModelError as error:
            raise error.at(question.name) from None
        return Request(tuple(prompt_ids), question.seeds, question.name)
