"""A teacher in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation import Generator, Request
from uniapl_cli.teachers.teacher import Answer, Failure, Question, Results
from uniapl_cli.types import Completion, FinishReason, Progress, Sampling

TOO_LONG = "prompt too long"


@dataclass(frozen=True)
class LocalTeacher:
    """A Teacher that asks a generator in this process.

    context: tokens of prompt and response together; where it is given, a response has at most what
    its prompt leaves of it, and a prompt that leaves nothing is a Failure. Without it, either is
    the generator's error. until: texts before which a response ends, besides the stop token.
    """

    generator: Generator
    chat: Chat
    context: int | None = None
    until: tuple[str, ...] = ()

    def answer(
        self,
        questions: Sequence[Question],
        sampling: Sampling,
        progress: Progress | None = None,
    ) -> Results:
        """Yield the answers as they get done.

        Raises ModelError, before any, for a question that the chat template cannot write.
        """
        requests = [self._request(question, sampling) for question in questions]
        asked = [index for index, request in enumerate(requests) if request.max_new_tokens != 0]
        for index, request in enumerate(requests):
            if request.max_new_tokens == 0:
                yield from ((index, n, self._too_long(request)) for n in range(len(request.seeds)))
        generated = self.generator.generate([requests[i] for i in asked], sampling, progress)
        for number, completions in generated:
            index = asked[number]
            length = len(requests[index].prompt_ids)
            for sample, done in enumerate(completions):
                yield index, sample, self._answer(done, length)

    def _answer(self, done: Completion, prompt_tokens: int) -> Answer:
        ends = [at for mark in self.until if (at := done.text.find(mark)) >= 0]
        text = done.text[: min(ends)] if ends else done.text
        reason: FinishReason = "stop" if ends else done.finish_reason
        return Answer(text, reason, prompt_tokens, len(done.token_ids))

    def _request(self, question: Question, sampling: Sampling) -> Request:
        try:
            prompt_ids = self.chat.prompt_ids(question.messages, question.tools)
        except ModelError as error:
            raise error.at(question.name) from None
        room = None
        if self.context is not None:
            room = max(0, min(self.context - len(prompt_ids), sampling.max_new_tokens))
        return Request(tuple(prompt_ids), question.seeds, question.name, room)

    def _too_long(self, request: Request) -> Failure:
        length = len(request.prompt_ids)
        problem = f"{length} prompt tokens fill the model's context of {self.context}"
        return Failure(problem, TOO_LONG)
