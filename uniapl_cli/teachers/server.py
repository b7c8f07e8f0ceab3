"""A teacher behind an OpenAI-compatible server: vLLM, SGLang, LMDeploy, transformers serve ..."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from uniapl_cli.chat import turns
from uniapl_cli.http import (
    Proxy,
    RequestFailed,
    environment_proxy,
    json_fields,
    new_client,
    pause,
    post,
    read_key,
    required_key,
    server_url,
    variable_name,
)
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.registry import Choice
from uniapl_cli.teachers.dialects import Dialect, dialects
from uniapl_cli.teachers.reply import read
from uniapl_cli.teachers.teacher import Answer, Failure, Question, Result, Results
from uniapl_cli.types import Progress, Sampling

if TYPE_CHECKING:
    from httpx2 import AsyncClient

log = logging.getLogger("uniapl")

# What a server answers that does not know, or not like, a field of the request.
UNREADABLE = ("HTTP 400", "HTTP 422")
# Fields that would make all requests alike, or their answers something else; what they may be.
OWN_FIELDS: Mapping[str, tuple[Any, ...]] = {
    "messages": (),
    "seed": (None,),
    "n": (None, 1),
    "stream": (None, False),
}
# The only variable that may be unset: many servers ask for no key.
DEFAULT_KEY = "OPENAI_API_KEY"


def further_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return further fields of a request as they are; null leaves a field out.

    Raises ValueError for what JSON cannot hold, and for fields whose values this program decides.
    """
    for name, allowed in OWN_FIELDS.items():
        if name in fields and fields[name] not in allowed:
            raise ValueError(f"'{name}' is not to be set: each sample is a request of its own")
    return json_fields(fields)


class Server(Options):
    """An OpenAI-compatible server: vLLM, SGLang, LMDeploy, transformers serve ..."""

    url: Annotated[str, AfterValidator(server_url)] = Field(
        MISSING,
        description="such as http://127.0.0.1:8000/v1",
        json_schema_extra={"may_change": True, "secret": True},
    )
    model: str | None = key(None, "the server's name for the model; null takes teacher.path")
    dialect: Annotated[Options, Choice(dialects)] = Field(
        default_factory=lambda: dialects.options("vllm"),
        description="kind of the server; see `uniapl list dialects`",
    )
    api_key_env: Annotated[str, AfterValidator(variable_name)] = Field(
        DEFAULT_KEY,
        description="NAME of the environment variable with the key",
        json_schema_extra={"may_change": True, "secret": True},
    )
    concurrency: int = key(16, "requests under way at a time", ge=1, le=10_000, may_change=True)
    timeout: float = key(
        600.0, "seconds until a request counts as failed", gt=0, le=604_800, may_change=True
    )
    retries: int = key(8, "repetitions of a request that failed", ge=0, le=1000, may_change=True)
    extra: Annotated[dict[str, Any], AfterValidator(further_fields)] = key(
        {},
        "further fields of each request: {presence_penalty: 1.5}; null leaves one out",
        secret=True,
    )


def server_key(variable: str) -> str | None:
    """Return the key in an environment variable; the default one may be unset.

    Raises ConfigError, without the key or the variable's name: that might be the key itself.
    """
    return read_key(variable) if variable == DEFAULT_KEY else required_key(variable)


@dataclass(frozen=True, slots=True)
class Job:
    """One request: the body to send, and the indices of the question and of its sample."""

    question: int
    sample: int
    name: str
    seed: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class ServerTeacher:
    """A Teacher that sends each sample as a request of its own, `concurrency` at a time.

    Servers that ignore `n` and servers that honour it so behave alike. A request that fails is
    repeated up to `retries` times. `extra` is put over the fields of each request's body;
    null leaves one out.
    """

    url: str
    model: str
    dialect: Dialect
    key: str | None = field(default=None, repr=False)
    thinking: bool = False
    system: str | None = None
    concurrency: int = 16
    timeout: float = 600.0
    retries: int = 8
    extra: Mapping[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def answer(
        self,
        questions: Sequence[Question],
        sampling: Sampling,
        progress: Progress | None = None,  # noqa: ARG002  a server tells whole answers only
    ) -> Results:
        """Yield the answers as they arrive, and a Failure where all repetitions failed."""
        client, failures = new_client(self.concurrency, self._proxy), Counter[str]()
        jobs = self._jobs(questions, sampling)
        pending: set[asyncio.Task[Result]] = set()
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            try:
                while True:
                    for job in islice(jobs, self.concurrency - len(pending)):
                        pending.add(loop.create_task(self._ask(client, job, failures)))
                    if not pending:
                        break
                    first = asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    done, pending = runner.run(first)
                    # Answers first: whoever stops at a failure has got all that there was.
                    yield from sorted((task.result() for task in done), key=_failed)
            finally:
                runner.run(_hang_up(client, pending))
                if failures:
                    counts = ", ".join(f"{kind} x{n}" for kind, n in failures.most_common())
                    log.info("failed requests, repeated where that may help: %s", counts)

    def _jobs(self, questions: Sequence[Question], sampling: Sampling) -> Iterator[Job]:
        options = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            **self.dialect(sampling, self.thinking),
            **self.extra,
        }
        for index, question in enumerate(questions):
            messages = list(map(_as_sent, turns(question.messages, self.system)))
            tools = {"tools": list(question.tools)} if question.tools else {}
            for sample, seed in enumerate(question.seeds):
                # 31 bits: what every server's JSON parser and random generator holds.
                body = {"messages": messages, "seed": seed & 0x7FFFFFFF, **tools, **options}
                sent = {name: value for name, value in body.items() if value is not None}
                yield Job(index, sample, question.name, seed, sent)

    async def _ask(self, client: AsyncClient, job: Job, failures: Counter[str]) -> Result:
        for attempt in count(1):
            try:
                return job.question, job.sample, await self._request(client, job.body)
            except RequestFailed as failure:
                failures[failure.kind] += 1
                message = failure.message
                if failure.kind in UNREADABLE:
                    message += " (does the server's `dialect` name its kind?)"
                if not failure.repeatable or attempt > self.retries:
                    times = f" ({attempt} times)" if attempt > 1 else ""
                    reason = f"{self.url}: {message}{times}"
                    return job.question, job.sample, Failure(reason, failure.kind)
                wait = pause(failure.wait, attempt, job.seed)
                if failures[failure.kind] == 1:
                    log.warning(
                        "%s: %s; repeated in %.1f s (further failures of this kind are only "
                        "counted)",
                        job.name,
                        message,
                        wait,
                    )
                await self.sleep(wait)
        raise AssertionError("count() never ends")

    async def _request(self, client: AsyncClient, body: Mapping[str, Any]) -> Answer:
        """Ask once. Raises RequestFailed."""
        url = f"{self.url.rstrip('/')}/chat/completions"
        reply = await post(client, url, body, timeout=self.timeout, key=self.key, proxy=self._proxy)
        # `extra` may have named another limit.
        limits = (body.get(name) for name in ("max_tokens", "max_completion_tokens"))
        return read(reply, next((limit for limit in limits if type(limit) is int), None))

    @cached_property
    def _proxy(self) -> Proxy | None:
        return environment_proxy(self.url)


def _as_sent(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return a turn whose calls' arguments are JSON text, as the protocol has them."""
    calls = turn.get("tool_calls")
    return {**turn, "tool_calls": list(map(_call_as_sent, calls))} if calls else dict(turn)


def _call_as_sent(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), Mapping):
        return call
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return {**call, "function": {**function, "arguments": arguments}}


def _failed(result: Result) -> bool:
    return isinstance(result[2], Failure)


async def _hang_up(client: AsyncClient, pending: set[asyncio.Task[Result]]) -> None:
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await client.aclose()
