"""Generation by vLLM servers, whose weights are brought in step with the policy before a draw."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ServerError
from uniapl_cli.generation.context import context_of, limit_of, stop_ids_of
from uniapl_cli.generation.generator import Request, generators
from uniapl_cli.generation.served import transports
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.options import (
    FOLDER,
    Addresses,
    Concurrency,
    KeyVariable,
    Patience,
    Retries,
    ServedName,
    Sync,
    Timeout,
    Tolerance,
)
from uniapl_cli.generation.served.requests import Drawn, Job, body_of, read_answer
from uniapl_cli.generation.served.servable import (
    check_servable,
    lost_again,
    servers_of,
    unknown_model,
)
from uniapl_cli.generation.served.telling import told
from uniapl_cli.generation.served.weights import InStep
from uniapl_cli.generation.served.workers import Workers, gave_up, wait_for
from uniapl_cli.http import (
    Loop,
    RequestFailed,
    new_client,
    pause,
    run,
)
from uniapl_cli.precision import Precision
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.types import Completion, Progress, Sampling

if TYPE_CHECKING:
    from httpx2 import AsyncClient

log = logging.getLogger("uniapl")


@generators.register("vllm", elsewhere=True, check=check_servable)
class VllmGenerator:
    """vLLM servers that hold the policy; `follow` brings its weights to them.

    A request's seeds decide nothing here but how many responses there are: vLLM draws them. A
    greedy response is asked for once, and stands for each seed. scratch: a folder for weights on
    their way, which the servers see too. sampling: of the draws that are trained on, whose
    log-probabilities are checked; None where there are none. ranks: who train the policy, each with
    requests of its own: all call `follow`, where the first one brings the weights, and `generate`.
    """

    def __init__(
        self,
        policy_model: Any,
        chat: Chat,
        *,
        addresses: Addresses,
        model: ServedName = None,
        concurrency: Concurrency = 16,
        timeout: Timeout = 600.0,
        retries: Retries = 8,
        patience: Patience = 600.0,
        probe_tolerance: Tolerance = None,
        sync: Sync = FOLDER,
        api_key_env: KeyVariable = None,
        precision: Precision = "auto",
        scratch: Path = Path(),
        sampling: Sampling | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.servers = servers_of(addresses, timeout, api_key_env)
        self.chat, self.name = chat, model
        self.concurrency, self.retries, self.patience = concurrency, retries, patience
        self.ranks = ranks
        self.precision, self.tolerance, self.scratch = precision, probe_tolerance, scratch
        self.transport = transports.bind(sync, scratch=scratch)()
        self.sampling = sampling
        self.longest = self.context = context_of(policy_model)
        self.vocabulary = policy_model.config.get_text_config().vocab_size
        self.stop_ids = stop_ids_of(policy_model, chat.stop_id)
        self.in_step: InStep | None = None

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured when the weights were brought in step."""
        return {} if self.in_step is None else self.in_step.metrics

    def follow(self, policy: Any) -> None:
        """Bring the policy's weights to the servers. Raises ServerError and ModelError."""
        run(self._follow(policy))

    async def _follow(self, policy: Any) -> None:
        async with self._client() as client:
            for attempt in count(1):
                asked = self.servers if self.ranks.first else []
                await asyncio.gather(*(wait_for(client, s, self.patience) for s in asked))
                try:
                    if self.in_step is None:
                        self.in_step = await self._new(client)
                    await self.in_step.bring(client, policy, self.sampling)
                    return
                except RequestFailed as failure:
                    if not failure.repeatable or attempt > self.retries:
                        raise self._gave_up(failure, attempt) from None
                    log.warning("%s; the weights are brought again", failure.message)
                    await asyncio.sleep(pause(failure.wait, attempt, 0))

    async def _new(self, client: AsyncClient) -> InStep:
        """Return what keeps the servers in step. Raises RequestFailed and ServerError."""
        ask = partial(self._name, client)
        name, self.longest = await told(self.ranks, ask, "the servers' models")
        parts = self.servers, self.transport, self.scratch, self.precision, self.tolerance
        return InStep(*parts, name, self.ranks)

    async def _name(self, client: AsyncClient) -> tuple[str, int]:
        """Return the policy's name, asked for where none is given, and the longest row."""
        name, longest = self.name, self.longest
        for server in self.servers:
            models = await server.models(client)
            if name is None and len({model.root for model in models}) == 1:
                name = models[0].name  # the others are names of the same model
            own = next((model for model in models if model.name == name), None)
            if own is None:
                raise unknown_model(server, name, [model.name for model in models])
            longest = min(longest, own.longest or longest)
        assert name is not None, "there is a server at least"
        return name, longest

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (index, completions) of each request as its answer comes.

        Raises ModelError for a prompt that leaves no room in the model's context, and ServerError.
        """
        greedy = sampling.temperature == 0
        jobs = [
            Job(index, r, limit_of(r, sampling, self.context), 1 if greedy else len(r.seeds))
            for index, r in enumerate(requests)
            if r.seeds
        ]
        yield from ((index, []) for index, request in enumerate(requests) if not request.seeds)
        drawn = 0
        for done, (job, answers) in enumerate(self._answered(jobs, sampling), 1):
            drawn += sum(len(answer.token_ids) for answer in answers)
            if progress is not None:  # whole answers are told
                progress(drawn, drawn / done * (len(jobs) - done))
            completions = [self._completion(answer) for answer in answers]
            yield job.index, completions * (len(job.request.seeds) if greedy else 1)

    def _check_room(self, jobs: Sequence[Job]) -> None:
        """Refuse what the servers have no room for. Raises ServerError."""
        most = max(jobs, key=lambda job: len(job.request.prompt_ids) + job.limit)
        needed = len(most.request.prompt_ids) + most.limit
        if needed > self.longest:
            raise ServerError(
                f"{len(most.request.prompt_ids)} prompt tokens + {most.limit} new ones exceed the "
                f"{self.longest} that the vLLM servers were started for",
                f"Start them with --max-model-len {needed} or more",
                where=most.request.name or None,
                got=needed,
            )

    def _answered(
        self, jobs: Sequence[Job], sampling: Sampling
    ) -> Iterator[tuple[Job, list[Drawn]]]:
        """Yield the jobs with their answers, as they come; ranks without any take part.

        A server that restarts meanwhile gets its weights from the first rank, when all have asked
        the other servers for what they could.
        """
        left = {job.index: job for job in jobs}
        for turn in count():
            for job, answers in self._asked(list(left.values()), sampling):
                del left[job.index]
                yield job, answers
            if not any(self.ranks.gather(len(left), "sampling from the servers")):
                return
            if turn >= self.retries:
                raise lost_again(self.servers[0], turn + 1)
            assert self.in_step is not None, "it has answered before"
            self.follow(self.in_step.policy)

    def _asked(self, jobs: Sequence[Job], sampling: Sampling) -> Iterator[tuple[Job, list[Drawn]]]:
        """Yield the jobs with their answers, of those that there are servers for."""
        assert self.in_step is not None, "follow comes before a draw"
        in_step = self.in_step

        async def ask(client: AsyncClient, server: VllmServer, job: Job) -> list[Drawn]:
            """Return a server's answers to a job. Raises RequestFailed."""
            body = body_of(job, sampling, in_step.model, self.stop_ids)
            answer = await server.complete(client, body)
            try:
                return read_answer(answer, job, self.stop_ids, self.vocabulary)
            except ValueError as error:
                raise server.unusable(str(error)) from None

        if not jobs:
            return
        self._check_room(jobs)
        many = -(-self.concurrency // self.ranks.world)
        limits = many, self.retries, self.patience
        workers = Workers(self._client(), self.servers, in_step, ask, *limits)
        with Loop() as loop:
            try:
                loop.run(workers.start(jobs))
                for _ in jobs:
                    answered = loop.run(workers.answered())
                    if answered is None:
                        return
                    yield answered
            finally:
                loop.run(workers.stop())

    def _completion(self, answer: Drawn) -> Completion:
        stopped = answer.finish_reason == "stop"
        ids = answer.token_ids[:-1] if stopped else answer.token_ids
        text = self.chat.text(list(ids))
        return Completion(text, answer.token_ids, answer.logps, answer.finish_reason)

    def _client(self) -> AsyncClient:
        # Beside the answers' there are looks at whether the servers are well.
        connections = len(self.servers) * (2 * self.concurrency + 2)
        return new_client(connections, self.servers[0].proxy)

    def _gave_up(self, failure: RequestFailed, times: int) -> ServerError:
        named = (server for server in self.servers if failure.message.startswith(server.address))
        return gave_up(next(named, self.servers[0]), failure, times)
